// Package discover keeps what servers behind the box have said of themselves:
// which addresses answered on which ports, in which protocol, and which product
// and version they named in greetings, headers and handshakes. It is fed with
// samples of the wire (port.Watch) and asked by the control socket. All of it is
// hearsay: a banner can be wrong, or lie. It decides nothing, sends nothing, and
// holds a bounded amount of memory whatever is on the wire.
package discover
