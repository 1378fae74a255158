package deb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFetchWithoutLists: on a machine whose lists of packages are empty, as a
// new one's may be, a package is found by lists got for it.
func TestFetchWithoutLists(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "apt.conf")
	lists := filepath.Join(dir, "lists")
	if err := os.MkdirAll(filepath.Join(lists, "partial"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "Dir::State::lists \"" + lists + "\";\nDir::Cache \"" + dir + "\";\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("APT_CONFIG", config)

	var log strings.Builder
	// The folder that make image uses, so that the package is there already.
	p, err := Fetch(t.Context(), Query{Name: "systemd-boot-efi"}, "../../out/cache", &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if !strings.HasPrefix(p.Version, "252.") {
		t.Errorf("Fetch found systemd-boot-efi %s; want one of the 252 series", p.Version)
	}
	if !strings.Contains(log.String(), "getting new lists") {
		t.Errorf("Fetch used lists that are empty:\n%s", log.String())
	}
}

// TestFetchFromSuite: a package of a suite that the machine's sources do not name,
// by the archive's signature.
func TestFetchFromSuite(t *testing.T) {
	const suite = "trixie-backports"
	dir := t.TempDir()
	var log strings.Builder
	p, err := Fetch(t.Context(), Query{Name: "linux-image-cloud-amd64", Suite: suite}, dir, &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if !strings.Contains(p.Version, "~bpo13+") {
		t.Errorf("Fetch found %s %s; want one of %s", p.Name, p.Version, suite)
	}
	if _, err := Fetch(t.Context(), Query{Name: "linux-image-cloud-amd64", Suite: suite + "-none"}, dir, &log); err == nil {
		t.Error("Fetch from a suite that does not exist succeeds")
	}
}
