package control

import (
	"context"
	"net/http"
	"net/netip"
	"time"
)

// Finder is a Source that knows what servers have said of themselves.
type Finder interface {
	Found() []Found
}

// Found is a service that answered on the wire, with what it said of itself:
// hearsay, that anybody behind the box can have made up.
type Found struct {
	Address  netip.Addr      `json:"address"`
	Port     uint16          `json:"port"`
	UDP      bool            `json:"udp"`
	Protocol string          `json:"protocol"` // "" unknown
	Names    []string        `json:"names,omitempty"`
	Software []FoundSoftware `json:"software,omitempty"`
	First    time.Time       `json:"first"`
	Last     time.Time       `json:"last"`
	Sampled  uint64          `json:"sampled"` // sessions and datagrams that were looked at
}

// FoundSoftware is a product that a service named.
type FoundSoftware struct {
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	Evidence string    `json:"evidence"` // where it was named, and the text
	Seen     time.Time `json:"seen"`
}

// Found asks for the services that were seen on the wire since the start of the
// process, by address and port.
func (c *Client) Found(ctx context.Context) ([]Found, error) {
	var f []Found
	return f, c.do(ctx, answerTime, http.MethodGet, "/v1/found", &f)
}

func (s *Server) found(w http.ResponseWriter, _ *http.Request) {
	all := []Found{}
	if f, ok := s.source.(Finder); ok {
		all = append(all, f.Found()...)
	}
	answer(w, all)
}
