package uki

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// About is what an image says about itself, in the form of os-release(5).
// systemd-boot sorts by the version, newest first.
type About struct {
	Version string
	Board   string
}

// Text returns the section .osrel.
func (a About) Text() []byte {
	return fmt.Appendf(nil, "ID=wirepatch\nNAME=Wirepatch\nPRETTY_NAME=%q\nVERSION_ID=%q\nIMAGE_ID=%q\nIMAGE_VERSION=%q\n",
		"Wirepatch "+a.Version, a.Version, "wirepatch-"+a.Board, a.Version)
}

// ReadAbout reads what the image says about itself.
func ReadAbout(r io.ReaderAt) (a About, err error) {
	text, err := Read(r, OSRelease, 4096)
	if err != nil {
		return a, err
	}
	s := bufio.NewScanner(strings.NewReader(string(text)))
	for s.Scan() {
		key, value, _ := strings.Cut(s.Text(), "=")
		if u, err := strconv.Unquote(value); err == nil {
			value = u
		}
		switch key {
		case "IMAGE_VERSION":
			a.Version = value
		case "IMAGE_ID":
			a.Board = strings.TrimPrefix(value, "wirepatch-")
		}
	}
	if a.Version == "" || a.Board == "" {
		return a, fmt.Errorf("read EFI program: its os-release names no version or no board; it is no firmware of ours")
	}
	return a, nil
}
