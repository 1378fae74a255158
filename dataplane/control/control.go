// Package control is the dataplane's interface to the other programs of the
// box: JSON over HTTP on a unix socket. It holds the types, the server and the
// client. The socket's file mode is the only access control: who can open it
// may read everything and do what the interface offers.
//
//	GET  /v1/status               Status
//	GET  /v1/alive                Alive, from the first moment on
//	GET  /v1/events?since=N&wait=SECONDS   []Event with ID > N, oldest first, at most 500;
//	                              with wait, blocks until there is one
//	GET  /v1/found                []Found: services that answered on the wire, and what they said of themselves
//	POST /v1/reload               reads settings and definitions anew; 204, or 422 with the reason
//	POST /v1/rehearse?ms=N        stops the engine for N ms (600 to 5000, else 1000) and
//	                              tells what the kernel did without it: Rehearsal
package control

import (
	"time"

	"wirepatch/board/settings"
	"wirepatch/dataplane/session"
)

// Socket is where the dataplane listens.
const Socket = "/run/wirepatch/dataplane.sock"

// Status is the state of the wire.
type Status struct {
	Version     string       `json:"version"`
	Started     time.Time    `json:"started"`  // of this dataplane process
	Instance    string       `json:"instance"` // random, differs for each process: event IDs count anew
	Ports       []Port       `json:"ports"`    // the two wire ports, client side first
	Services    []Service    `json:"services"`
	Sessions    Sessions     `json:"sessions"`
	Kernel      Kernel       `json:"kernel"`
	Definitions []Definition `json:"definitions"`
	Corrections uint64       `json:"corrections"` // since start
	LastEvent   uint64       `json:"last_event"`
	// Bypass: by the settings nothing is protected and everything passes.
	Bypass bool `json:"bypass"`
}

// Kernel is what the kernel does by itself for protected services
// (kernel_inspection in appliance.ini).
type Kernel struct {
	Follows bool `json:"follows"` // handshakes, acknowledgements and ends of sessions stay below
	// HTTP messages of a simple form that no definition can concern stay below,
	// too. False: a definition in force must be asked about each; Asked names such
	// definitions.
	Requests  bool     `json:"requests"`
	Responses bool     `json:"responses"`
	Asked     []string `json:"asked,omitempty"`
	Sessions  uint64   `json:"sessions"` // open now and followed by the kernel
	// Strikes are definitions whose correction the kernel makes itself, Struck is
	// how many requests it has corrected since the BPF program was loaded.
	Strikes []string `json:"strikes,omitempty"`
	Struck  uint64   `json:"struck"`
}

// Port is one wire port. Counters run since the BPF program was loaded and
// survive a restart of the process.
type Port struct {
	Name      string `json:"name"`
	Driver    string `json:"driver"`
	MAC       string `json:"mac"`
	Up        bool   `json:"up"`         // link
	TakenDown bool   `json:"taken_down"` // by the dataplane, because the other port has no link
	SpeedMbit int    `json:"speed_mbit"` // 0: unknown
	Attach    string `json:"attach"`     // how the program sits on the port: "tcx", "xdp, zero copy", "xdp, copy"
	AttachWhy string `json:"attach_why"` // why it is tcx where xdp was asked for, or might be expected; else empty
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	Forwarded uint64 `json:"forwarded"` // packets redirected in the kernel
	Carried   uint64 `json:"carried"`   // of Forwarded: those of protected services, carried for the engine
	// Of Carried: those of edited sessions, in the numbers of each end.
	Translated uint64 `json:"translated"`
	Bypassed   uint64 `json:"bypassed"`   // of Forwarded: those of fail-open services while the engine was gone
	HandedUp   uint64 `json:"handed_up"`  // packets given to the engine
	TxPackets  uint64 `json:"tx_packets"` // packets that the engine sent out of this port
	TxBytes    uint64 `json:"tx_bytes"`
	Dropped    uint64 `json:"dropped"`
	// Of Dropped: those of edited sessions whose numbers could not be translated.
	Untranslated uint64 `json:"untranslated"`
	Lost         uint64 `json:"lost"` // of HandedUp: those that the engine did not take in time
}

// Service is one protected service.
type Service struct {
	Name     string               `json:"name"`
	Address  string               `json:"address"` // address or prefix
	Port     int                  `json:"port"`
	Protocol string               `json:"protocol"`
	Over     []settings.Transport `json:"over"`     // "udp", "tcp"
	Fail     string               `json:"fail"`     // "open", "closed": when the engine is gone
	InForce  string               `json:"in_force"` // the same, as the kernel has it now; "": it does not know the service
	Exceed   string               `json:"exceed"`   // "pass", "reset": at a limit or an undecodable message
	Products []string             `json:"products"` // what it is known to run
	Sessions uint64               `json:"sessions"` // open now
}

// Sessions counts sessions of protected services.
type Sessions struct {
	Open      uint64 `json:"open"`
	Total     uint64 `json:"total"`
	Edited    uint64 `json:"edited"`    // in which at least one byte was changed
	Passed    uint64 `json:"passed"`    // no longer inspected, by policy
	PickedUp  uint64 `json:"picked_up"` // first seen in the middle
	Reset     uint64 `json:"reset"`     // by us
	Lost      uint64 `json:"lost"`      // reset because the engine had stopped before their edits were settled
	Doomed    uint64 `json:"doomed"`    // that are to be, as soon as an end speaks
	Flows     uint64 `json:"flows"`     // of open: datagrams between two ends
	Dropped   uint64 `json:"dropped"`   // datagrams that corrections, or the policy, kept from their receiver
	Untold    uint64 `json:"untold"`    // corrections of datagrams that are counted, but too many to be events of their own
	Replied   uint64 `json:"replied"`   // of these, answered in the receiver's place
	HeldBytes uint64 `json:"held_bytes"`
	// What the memory of the machine has room for, and what is in it now: sessions
	// that the engine follows itself, and those that the kernel does. Aside are
	// sessions that made room for others and lost nothing: they are picked up where
	// they are. Crowded met their service's policy (exceed) for it.
	Engine      uint64 `json:"engine"`
	EngineRoom  uint64 `json:"engine_room"`
	KernelRoom  uint64 `json:"kernel_room"`
	HeldRoom    uint64 `json:"held_room"` // for HeldBytes
	Aside       uint64 `json:"aside"`
	Crowded     uint64 `json:"crowded"`
	MemoryBytes uint64 `json:"memory_bytes"` // that the machine was taken to have
	// Frames of protected services that the engine did not let pass:
	BadChecksum uint64 `json:"bad_checksum"`
	Malformed   uint64 `json:"malformed"`
	Refused     uint64 `json:"refused"`
}

// Definition is one inline patch as it is loaded.
type Definition struct {
	ID              string   `json:"id"`
	Revision        int      `json:"revision"`
	Title           string   `json:"title"`
	Vulnerabilities []string `json:"vulnerabilities"`
	Mode            string   `json:"mode"`  // "off", "shadow", "correct"
	Error           string   `json:"error"` // why it is set aside; "" when it is in force
	// Services are the modes in single services, where they have one of their own.
	Services    map[string]string `json:"services,omitempty"`
	Corrections uint64            `json:"corrections"`
	// Only is the product whose servers it is confined to; "": all that speak its protocol.
	Only       string      `json:"only,omitempty"`
	Parameters []Parameter `json:"parameters,omitempty"`
}

// Event is one entry of the dataplane's log. The last few thousand are kept in
// memory.
type Event struct {
	ID   uint64    `json:"id"` // from 1, without gaps
	Time time.Time `json:"time"`
	Kind string    `json:"kind"` // "start", "correction", "passed", "dropped", "reset", "definition", "settings", "link", "wire"
	Text string    `json:"text"` // one line for people
	// Of corrections and what else concerns one session:
	Service  string            `json:"service,omitempty"`
	Client   string            `json:"client,omitempty"` // address:port
	Server   string            `json:"server,omitempty"`
	Evidence *session.Evidence `json:"evidence,omitempty"`
}
