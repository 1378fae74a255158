package session

// DatagramInspector is what a flow of datagrams asks about each of them: the
// decoder of a protocol over UDP. One serves one flow, both directions, and is
// never called by two goroutines at once. Datagrams come as the network brings
// them: lost, doubled, out of order, and after the flow was forgotten and begun
// anew.
type DatagramInspector interface {
	// Datagram is shown the payload of one datagram and answers what is to
	// become of it. payload is valid only during the call.
	Datagram(dir Direction, payload []byte) DatagramVerdict
}

// DatagramVerdict is a DatagramInspector's decision on one datagram. The zero
// value passes it on.
type DatagramVerdict struct {
	// Undecodable, if not empty, says why the datagram could not be read; the
	// service's policy decides what becomes of it.
	Undecodable string
	// Drop keeps the datagram from its receiver.
	Drop bool
	// Reply goes to the sender of a dropped datagram in the receiver's name. It
	// is not sent where it could do harm; see flow.reply.
	Reply []byte
	// Edits change the payload: sorted, not overlapping.
	Edits []Edit
	// Rest is what becomes of the datagrams that follow, in both directions.
	Rest Rest
	// Evidence tells what was corrected, or would have been.
	Evidence []Evidence
}

// Rest is what becomes of the later datagrams of a flow.
type Rest uint8

// What may become of them.
const (
	InspectRest Rest = iota
	PassRest         // they pass unseen
	BlockRest        // they are dropped
)
