package session

import "wirepatch/dataplane/packet"

// crossed is a SYN of the server's. It sends one when both ends open the session
// at once (RFC 9293, 3.5), or when it splits its answer into an acknowledgement
// and a SYN. Then the client sends a SYN+ACK, too:
//
//	simultaneous   SYN ->  <- SYN  SYN+ACK ->  <- SYN+ACK
//	split          SYN ->  <- ACK  <- SYN  SYN+ACK ->  <- ACK
type crossed struct {
	seq    uint32
	window uint16
	hs     packet.Handshake
}

// answersSYN says whether f, a SYN+ACK of direction d, answers the other end's SYN.
func (s *Session) answersSYN(d Direction, f *packet.Frame) bool {
	if d == ToClient {
		return s.synSeen && f.Ack() == s.synSeq+1
	}
	return s.synSeen && f.Seq() == s.synSeq && s.crossed != nil && f.Ack() == s.crossed.seq+1
}
