package control

import (
	"context"
	"net/http"
)

// Alive is what a dataplane can tell from its first moment on, while it still
// tests its definitions.
type Alive struct {
	Attached bool `json:"attached"` // the program sits on both ports: the wire forwards, by policy at least
	Testing  bool `json:"testing"`  // nothing is inspected yet; Status does not answer
}

// Living is a Source that can tell it.
type Living interface{ Alive() Alive }

// Alive asks whether the wire forwards, and whether it is inspected.
func (c *Client) Alive(ctx context.Context) (Alive, error) {
	var a Alive
	return a, c.do(ctx, answerTime, http.MethodGet, "/v1/alive", &a)
}

func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	source, ok := s.source.(Living)
	if !ok {
		http.Error(w, "this dataplane does not tell", http.StatusNotImplemented)
		return
	}
	answer(w, source.Alive())
}
