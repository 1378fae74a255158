// Package sim runs the session engine between two model TCP endpoints over a
// bad network, in virtual time and from one seed, and checks the engine's
// invariants on every frame. It is only used by tests. The endpoints build and
// read frames with code of their own, so that a mistake in package packet does
// not cancel itself out.
package sim
