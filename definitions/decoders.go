package main

import (
	"time"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/http"
	"wirepatch/dataplane/session"
)

// decoders are the protocols that definitions can be about, with the limits that
// an appliance has by default.
func decoders() map[string]patch.Decoder {
	return map[string]patch.Decoder{
		"http": {
			Schema: http.Schema(),
			New: func(r protocol.Rules, c protocol.Conn) session.Inspector {
				return http.New(r, c, http.Options{Clock: func() time.Time { return patch.TestTime }})
			},
		},
	}
}
