// Package release knows what a firmware image says about itself: its version
// and the release file that the build writes into it and the running box reads.
package release

import (
	"bytes"
	"fmt"
	"os"

	"gopkg.in/ini.v1"
)

// Version is the version of the firmware that this source builds.
const Version = "0.1.0"

// Path is where an image carries its release file.
const Path = "/etc/wirepatch/release"

// Release says what an image was made of.
type Release struct {
	Version       string `ini:"version"`
	Board         string `ini:"board"`
	Kernel        string `ini:"kernel"`         // release, as uname -r prints it
	KernelPackage string `ini:"kernel_package"` // Debian package
	KernelVersion string `ini:"kernel_version"` // of that package
	KernelSHA256  string `ini:"kernel_sha256"`  // of the package's file, hexadecimal
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
