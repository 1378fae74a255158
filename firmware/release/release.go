// Package release knows what a firmware image says about itself: its version
// and the release file that the build writes into it and the running box reads.
package release

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"gopkg.in/ini.v1"
)

// Version is the version of the firmware that this source builds.
const Version = "0.1.0"

// Released is when this version was made, to the day. No clock of a box runs below
// it, so that signatures do not fail a box whose battery died.
var Released = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

// Path is where an image carries its release file.
const Path = "/etc/wirepatch/release"

// RootPath is where an image carries the root of trust of its updates.
const RootPath = "/etc/wirepatch/root.json"

// DiskPath is where an installer's image carries the disk that it writes, packed
// with zstd. It lies under the same Secure Boot signature as the rest of it.
const DiskPath = "/install/disk.img.zst"

// Release says what an image was made of.
type Release struct {
	Version       string `ini:"version"`
	Board         string `ini:"board"`
	Kernel        string `ini:"kernel"`         // release, as uname -r prints it
	KernelPackage string `ini:"kernel_package"` // Debian package
	KernelVersion string `ini:"kernel_version"` // of that package
	KernelSHA256  string `ini:"kernel_sha256"`  // of the package's file, hexadecimal
	Definitions   int    `ini:"definitions"`    // revision of the definitions in it; 0: none was given
	Programs      string `ini:"programs"`       // SHA-256 of the programs, which are one binary, hexadecimal
	DebugShell    bool   `ini:"debug_shell"`    // the console offers a shell without a password
}

// Text returns the release file.
func (r *Release) Text() ([]byte, error) {
	f := ini.Empty()
	if err := f.ReflectFrom(r); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return b.Bytes(), nil
}

// Parse reads the text of a release file.
func Parse(text []byte) (*Release, error) {
	f, err := ini.Load(text)
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	r := new(Release)
	if err := f.MapTo(r); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return r, nil
}

// Read reads the release file at path.
func Read(path string) (*Release, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(b)
}
