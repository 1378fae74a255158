//go:build failingdecoder

package decoders

import (
	"bytes"

	"wirepatch/board/settings"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/http"
	"wirepatch/dataplane/session"
)

// With this tag there is a decoder with a fault: it panics when a client says
// so. It shows what that costs, in the real program.
func init() {
	all["failing"] = Decoder{Schema: protocol.Schema{Protocol: "failing"}, New: func(r protocol.Rules, c protocol.Conn, o Options) session.Inspector {
		return failing{http.New(r, c, http.Options{Exceed: o.Exceed, MidStream: o.MidStream, Clock: o.Clock})}
	}}
	settings.Protocols = append(settings.Protocols, "failing")
}

// failing is a decoder of HTTP with a fault.
type failing struct{ session.Inspector }

func (f failing) Inspect(dir session.Direction, data []byte, eof bool) session.Verdict {
	if bytes.Contains(data, []byte("X-Panic: yes")) {
		var none []int
		none[len(data)] = 0
	}
	return f.Inspector.Inspect(dir, data, eof)
}
