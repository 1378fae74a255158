package firmware

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"
)

// fewDefinitions are those that the tests' firmware has: a box on a slow processor
// tests them at its first start, and some fifty starts here wait for that. The
// images as built, which TestInstaller and the tests beside this folder start, have
// all of them.
var fewDefinitions = []string{"WP-2023-26125", "WP-2023-29401", "WP-2025-24358"}

// lean returns the initramfs of the image that was built, with few definitions.
var lean = sync.OnceValues(func() ([]byte, error) { return packLean(image(panics{}, "initramfs.cpio.zst")) })

func packLean(path string) ([]byte, error) {
	packed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	plain, err := r.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	all, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(plain)))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r cpio.Record) bool {
		rest, found := strings.CutPrefix(r.Name, "etc/wirepatch/definitions/WP-")
		id, _, _ := strings.Cut("WP-"+rest, "/")
		return found && !slices.Contains(fewDefinitions, id)
	})
	var out bytes.Buffer
	w := cpio.Newc.Writer(&out)
	if err := cpio.WriteRecords(w, all); err != nil {
		return nil, err
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return nil, err
	}
	z, err := zstd.NewWriter(nil, zstd.WithWindowSize(8<<20)) // the kernel takes no large ones
	if err != nil {
		return nil, err
	}
	return z.EncodeAll(out.Bytes(), nil), nil
}
