package feed

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"wirepatch/mgmt/inventory"
)

// Bounds of one fetch.
const (
	fetchTime   = 10 * time.Minute
	maxFile     = 256 << 20 // bytes of a file that is fetched
	maxEntry    = 4 << 20   // of one record in an archive,
	maxUnpacked = 4 << 30   // of all of them
	maxEntries  = 400_000
	// maxDirectory bounds an archive's list of its files, which is in memory as a
	// whole: the list of OSV's largest ecosystem has 20 MB.
	maxDirectory = 48 << 20
	maxIndex     = 8 << 20 // of the list of a CSAF folder
	maxDocument  = 16 << 20
	maxFetched   = 500 // documents of a CSAF folder at a time
	batch        = 500 // advisories in one transaction
)

// unfinished is the name of what is being fetched.
const unfinished = "feed-*.tmp"

// errGone says that there is no such file.
var errGone = errors.New("it is not there")

// settled is after how long a document that its folder names and that is not there
// will not be: before, the folder may be about to be filled.
const settled = 7 * 24 * time.Hour

// errSame says that nothing has changed since.
var errSame = errors.New("the same as before")

// fetch fetches a source and returns how many advisories were in it.
func (p *Puller) fetch(ctx context.Context, f *Feed) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	c, err := client(f)
	if err != nil {
		return 0, err
	}
	defer c.CloseIdleConnections()
	if f.Kind == "csaf" && strings.HasSuffix(f.URL, "/") {
		return p.fetchFolder(ctx, c, f)
	}
	file, err := os.CreateTemp(p.Folder, unfinished)
	if err != nil {
		return 0, fmt.Errorf("no room for what is fetched: %w", err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	tag, err := download(ctx, c, f.URL, f.Tag, maxFile, file)
	if errors.Is(err, errSame) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := p.take(file)
	if err == nil {
		f.Tag = tag
	}
	return n, err
}

func client(f *Feed) (*http.Client, error) {
	t := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10}
	if f.Proxy != "" {
		u, err := url.Parse(f.Proxy)
		if err != nil {
			return nil, err
		}
		t.Proxy = http.ProxyURL(u)
	}
	if f.CA != "" {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		t.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(f.CA))
	}
	return &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || r.URL.Host != via[0].URL.Host || len(via) > 5 {
			return fmt.Errorf("it leads to %s: set that address, if it is to be trusted", r.URL.Redacted())
		}
		return nil
	}}, nil
}

// download writes what an address answers, up to limit bytes.
func download(ctx context.Context, c *http.Client, address, tag string, limit int64, to io.Writer) (newTag string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("User-Agent", "wirepatch")
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	resp, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && tag != "":
		return tag, errSame
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return "", fmt.Errorf("%s answers %s: %w", Shown(address), resp.Status, errGone)
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s answers %s", Shown(address), resp.Status)
	}
	n, err := io.Copy(to, io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", Shown(address), err)
	}
	if n > limit {
		return "", fmt.Errorf("%s is larger than %d MiB", Shown(address), limit>>20)
	}
	return resp.Header.Get("ETag"), nil
}

// take reads a file: JSON, or an archive of JSON files, as OSV has them.
func (p *Puller) take(file *os.File) (int, error) {
	st, err := file.Stat()
	if err != nil {
		return 0, err
	}
	var magic [4]byte
	if _, err := file.ReadAt(magic[:], 0); err == nil && string(magic[:]) == "PK\x03\x04" {
		return p.takeArchive(file, st.Size())
	}
	if st.Size() > 4*inventory.MaxUpload {
		return 0, fmt.Errorf("a file of JSON of more than %d MiB", 4*inventory.MaxUpload>>20)
	}
	text := make([]byte, st.Size())
	if _, err := file.ReadAt(text, 0); err != nil {
		return 0, err
	}
	list, err := inventory.ReadAdvisories(text)
	if err != nil {
		return 0, err
	}
	return len(list), p.put(list)
}

// put keeps advisories, a batch at a time: whoever reads need not wait.
func (p *Puller) put(list []inventory.Advisory) error {
	for len(list) > 0 {
		n := min(batch, len(list))
		if err := p.Inventory.PutAdvisories(list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// takeArchive reads the records of an archive one by one. Those without a CVE
// are left out: an ecosystem has hundreds of thousands of malicious packages.
func (p *Puller) takeArchive(file io.ReaderAt, size int64) (n int, _ error) {
	m := &meter{ReaderAt: file, left: maxDirectory}
	z, err := zip.NewReader(m, size)
	if err != nil {
		return 0, fmt.Errorf("the archive cannot be read: %w", err)
	}
	m.left = math.MaxInt64 // its records are bounded one by one
	if len(z.File) > maxEntries {
		return 0, fmt.Errorf("an archive of more than %d files", maxEntries)
	}
	var list []inventory.Advisory
	var unpacked uint64
	for _, e := range z.File {
		if !strings.HasSuffix(e.Name, ".json") {
			continue
		}
		if unpacked += e.UncompressedSize64; e.UncompressedSize64 > maxEntry || unpacked > maxUnpacked {
			return n, fmt.Errorf("the archive unpacks to too much, at %.80q", e.Name)
		}
		some, err := readEntry(e)
		if err != nil {
			return n, fmt.Errorf("record %.80q: %w", e.Name, err)
		}
		for _, a := range some {
			if len(a.CVEs) > 0 {
				list = append(list, a)
			}
		}
		if len(list) >= batch {
			if err := p.put(list); err != nil {
				return n, err
			}
			n, list = n+len(list), list[:0]
		}
	}
	return n + len(list), p.put(list)
}

// meter lets so many bytes be read.
type meter struct {
	io.ReaderAt
	left int64
}

func (m *meter) ReadAt(p []byte, at int64) (int, error) {
	if m.left -= int64(len(p)); m.left < 0 {
		return 0, fmt.Errorf("its list of files is larger than %d MiB", maxDirectory>>20)
	}
	return m.ReaderAt.ReadAt(p, at)
}

func readEntry(e *zip.File) ([]inventory.Advisory, error) {
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxEntry))
	if err != nil {
		return nil, err
	}
	return inventory.ReadAdvisories(text)
}

// fetchFolder fetches the documents of a CSAF distribution that changed since
// (CSAF 2.0, 7.1.13: changes.csv has paths and times, the latest first).
func (p *Puller) fetchFolder(ctx context.Context, c *http.Client, f *Feed) (n int, _ error) {
	var index bytes.Buffer
	if _, err := download(ctx, c, f.URL+"changes.csv", "", maxIndex, &index); err != nil {
		return 0, err
	}
	rows, err := csv.NewReader(&index).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("changes.csv: %w", err)
	}
	var faults []error
	fetched := 0
	for _, d := range newer(rows, f.Upto) { // the oldest first, so that a break loses nothing
		if fetched >= maxFetched && d.at.After(f.Upto) {
			break
		}
		fetched++
		var text bytes.Buffer
		var list []inventory.Advisory
		_, err := download(ctx, c, f.URL+d.name, "", maxDocument, &text)
		if err == nil {
			list, err = inventory.ReadAdvisories(text.Bytes())
		}
		if err == nil {
			err = p.put(list)
		}
		switch {
		case errors.Is(err, inventory.ErrInput), errors.Is(err, errGone) && p.Now().Sub(d.at) > settled: // one that cannot be read, or was taken back, keeps nobody from the others
			faults = append(faults, fmt.Errorf("%.80s: %w", d.name, err))
		case err != nil:
			return n, err
		}
		n, f.Upto = n+len(list), d.at
	}
	if len(faults) > 0 {
		return n, fmt.Errorf("%d documents could not be read, the first: %w", len(faults), faults[0])
	}
	return n, nil
}

// document is one of a CSAF folder.
type document struct {
	name string
	at   time.Time
}

// newer lists what changed after a time, the oldest first.
func newer(rows [][]string, since time.Time) (all []document) {
	for _, r := range rows {
		if len(r) < 2 {
			continue
		}
		at, err := time.Parse(time.RFC3339, r[1])
		name := path.Clean("/" + r[0])[1:]
		if err == nil && at.After(since) && strings.HasSuffix(name, ".json") {
			all = append(all, document{name, at})
		}
	}
	slices.SortStableFunc(all, func(a, b document) int { return a.at.Compare(b.at) })
	return all
}
