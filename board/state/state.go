// Package state is what init tells the other programs about the box: one JSON
// file that init writes anew, atomically, at every change, and anyone may read.
package state

import (
	"encoding/json"
	"os"
	"time"
)

// Path is where init writes it.
const Path = "/run/wirepatch/supervisor.json"

// Box is the state of the box as init sees it.
type Box struct {
	Version    string     `json:"version"` // of the firmware
	Board      string     `json:"board"`
	Hostname   string     `json:"hostname"`
	Booted     time.Time  `json:"booted"`
	Data       string     `json:"data"` // "ext4 /dev/vda", or why settings do not outlast a power cycle
	Management Management `json:"management"`
	Slots      []Slot     `json:"slots"`   // of firmware, newest first; empty when started without boot loader
	Secrets    string     `json:"secrets"` // how those of the management page are kept: "sealed to the TPM", "not sealed: …", "locked"
	Processes  []Process  `json:"processes"`
	Log        []Entry    `json:"log"` // the last 200, oldest first
}

// Management is the management port.
type Management struct {
	Interface string `json:"interface"`
	MAC       string `json:"mac"`
	Up        bool   `json:"up"`
	Mode      string `json:"mode"`    // "dhcp", "static"
	Address   string `json:"address"` // with prefix length; "" while there is none
	Gateway   string `json:"gateway"`
}

// Slot is one firmware slot.
type Slot struct {
	Version string `json:"version"`
	State   string `json:"state"` // "confirmed", "new", "on trial", "given up", "set aside"
	Running bool   `json:"running"`
	Left    int    `json:"left"` // tries, while it is not confirmed
}

// Process is one supervised program.
type Process struct {
	Name     string    `json:"name"`
	PID      int       `json:"pid"`
	State    string    `json:"state"` // "running", "waiting" (to be started again), "stopped"
	Started  time.Time `json:"started"`
	Restarts int       `json:"restarts"`
	LastExit string    `json:"last_exit"` // "exit status 2", "signal: killed"; "" if it never ended
	ExitedAt time.Time `json:"exited_at"`
}

// Entry is one line of init's log.
type Entry struct {
	ID   uint64    `json:"id"` // from 1 at each boot
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// Read reads the file at path.
func Read(path string) (*Box, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	box := new(Box)
	return box, json.Unmarshal(b, box)
}
