package modules

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"
)

// elfFile builds the smallest module: an ELF file with a .modinfo section.
func elfFile(fields ...string) []byte {
	info := []byte(strings.Join(fields, "\x00") + "\x00")
	names := []byte("\x00.modinfo\x00.shstrtab\x00")
	const head = 64
	at := uint64(head + len(info) + len(names))
	h := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Shoff: at, Ehsize: head, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, h)
	b.Write(info)
	b.Write(names)
	binary.Write(&b, binary.LittleEndian, []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: head, Size: uint64(len(info))},
		{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(head + len(info)), Size: uint64(len(names))},
	})
	return b.Bytes()
}

func TestParseInfo(t *testing.T) {
	got, err := ParseInfo(elfFile("alias=fs-ext4", "softdep=pre: crypto-crc32c post: late", "depends=jbd2,crc16,mb-cache", "name=ext4", "vermagic=6.12.1 SMP preempt"))
	if err != nil {
		t.Fatal(err)
	}
	want := Info{Name: "ext4", Depends: []string{"jbd2", "crc16", "mb_cache"}, Pre: []string{"crypto-crc32c"}, Aliases: []string{"fs-ext4"}, Version: "6.12.1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ParseInfo (-want +got):\n%s", d)
	}
	for name, b := range map[string][]byte{"no ELF": []byte("text"), "no name": elfFile("depends=")} {
		if _, err := ParseInfo(b); err == nil {
			t.Errorf("ParseInfo(%s) = nil; want an error", name)
		}
	}
}

// writeTree writes a kernel's module folder: path to fields.
func writeTree(t *testing.T, builtin string, files map[string][]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "6.12.1")
	for p, fields := range files {
		b := elfFile(append(fields, "vermagic=6.12.1 SMP")...)
		if strings.HasSuffix(p, ".xz") {
			var z bytes.Buffer
			w, err := xz.NewWriter(&z)
			if err != nil {
				t.Fatal(err)
			}
			w.Write(b)
			w.Close()
			b = z.Bytes()
		}
		p = filepath.Join(dir, "kernel", p)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "modules.builtin"), []byte(builtin), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPick(t *testing.T) {
	tree, err := Open(writeTree(t, "kernel/lib/crc16.ko\n", map[string][]string{
		"fs/ext4.ko.xz":               {"name=ext4", "depends=jbd2,crc16", "softdep=pre: crypto-crc32c"},
		"fs/jbd2.ko":                  {"name=jbd2", "depends="},
		"crypto/crc32c_generic.ko":    {"name=crc32c_generic", "alias=crypto-crc32c"},
		"arch/crypto/crc32c-intel.ko": {"name=crc32c_intel", "alias=crypto-crc32c"},
		"net/virtio_net.ko":           {"name=virtio_net", "depends=net_failover"},
		"net/net_failover.ko":         {"name=net_failover", "depends=failover"},
		"net/failover.ko":             {"name=failover"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	all, err := tree.Pick([]string{"virtio-net", "ext4", "virtio_net", "crc16", "crc32c_intel"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		if m.Optional {
			m.Name += "?"
		}
		got = append(got, m.Name)
		if !bytes.HasPrefix(m.Image, []byte("\x7fELF")) {
			t.Errorf("image of %s begins %q; want it unpacked", m.Name, m.Image[:4])
		}
	}
	want := []string{"failover", "net_failover", "virtio_net", "jbd2", "crc32c_generic?", "crc32c_intel", "ext4"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Pick (-want +got):\n%s", d)
	}
}

func TestPickFaults(t *testing.T) {
	tree, err := Open(writeTree(t, "", map[string][]string{
		"a.ko": {"name=a", "depends=b"},
		"b.ko": {"name=b", "depends=a"},
		"c.ko": {"name=c", "depends=gone"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "a depends on itself", "c": "gone, which kernel 6.12.1 does not have"} {
		if _, err := tree.Pick([]string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Pick(%s) = %v; want an error with %q", name, err, want)
		}
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add(elfFile("name=a", "depends=b,c", "softdep=pre: d post: e"))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, b []byte) { ParseInfo(b) })
}

func FuzzParseFields(f *testing.F) {
	f.Add([]byte("name=a\x00softdep=pre:\x00depends=,,\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if i, err := parseFields(b); err == nil && i.Name == "" {
			t.Error("parseFields took a module without a name")
		}
	})
}
