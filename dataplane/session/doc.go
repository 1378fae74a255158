// Package session is whose bytes these are. It follows the TCP sessions of
// protected services, puts each direction's bytes in order, shows them to an
// Inspector, and carries out its verdicts on the wire, so that the session
// stays end to end: handshake, options, congestion control and
// acknowledgements are the two endpoints' own. It knows nothing of what the
// bytes mean, does no input or output, and has no clock: frames and the time
// are handed in, frames are handed out, so that the same engine runs on ports
// and in a simulator.
//
// Each direction of a session is a half. It counts the stream twice, both
// from the sender's SYN as 0, in 64 bits:
//
//	input   as the sender sends it
//	output  as the receiver gets it, after edits
//
// The edit map translates between the two. Frames that nothing was held back
// from and nothing edited in go on as they came.
//
// Beside them the package follows flows of UDP datagrams (flow.go), each of
// which stands alone: it is shown to a DatagramInspector, and passes, changed
// or not, or is dropped, or answered.
//
// How the design's invariants are kept:
//
//	I1  only what is below half.rel (decided), or was passed unseen by a
//	    verdict, is ever put into an outgoing frame
//	I2  decided bytes stay in half.store until the receiver has acknowledged
//	    them; a retransmission is answered from there, whatever it holds
//	I3  half.acked is acknowledged to the sender only when everything below it
//	    is in store or pend; half.answer then makes the engine retransmit
//	I4  half.forward changes nothing but what translation demands
//	I5  Limits; beyond them the service's policy, with an event
//	I6  bytes held for HoldDelay are acknowledged by the engine
package session
