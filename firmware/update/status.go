package update

import "time"

// Where the program updated serves its API and keeps its files, and the link
// that leads the dataplane to the definitions in force.
const (
	Socket = "/run/wirepatch/update.sock"
	Dir    = "/data/update"
	Link   = "/run/wirepatch/definitions"
)

// MaxUpload is the largest update file that is taken, in bytes.
const MaxUpload = 256 << 20

// What is being done.
const (
	Idle        = "idle"
	Checking    = "checking"
	Uploading   = "uploading"
	Downloading = "downloading"
	Installing  = "installing"
)

// Past is a piece of work that ended.
type Past struct {
	Time time.Time `json:"time"`
	What string    `json:"what"` // "firmware 0.2.0", "definitions 7", "update"
	Code string    `json:"code"` // "" when it was put in; else of the refusal
	Text string    `json:"text,omitempty"`
}

// Status is the answer of GET /v1/status.
type Status struct {
	Version   string    `json:"version"` // of the running firmware
	Board     string    `json:"board"`
	Revision  int       `json:"definitions"` // in force
	State     string    `json:"state"`
	Bytes     int64     `json:"bytes,omitempty"` // of what is being fetched
	Done      int64     `json:"done,omitempty"`  // of these, so far
	Offer     *Offer    `json:"offer,omitempty"` // what the last check found and was not put in
	LastCheck time.Time `json:"last_check"`
	NextCheck time.Time `json:"next_check"`
	LastError *Refusal  `json:"last_error,omitempty"`
	// Planned is when the offered firmware will be put in, once somebody has asked
	// for the window; zero: it is not.
	Planned time.Time `json:"planned,omitzero"`
	History []Past    `json:"history,omitempty"` // latest first
}
