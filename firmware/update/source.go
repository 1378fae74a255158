package update

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Source is where a repository is read from.
type Source interface {
	// Open opens a file of the repository from an offset on. A file that is not
	// there is an ErrDownloadHTTP with status 404, as TUF's client wants it.
	Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
}

// Web is a repository on a web server.
type Web struct {
	base   string        // without name and password: errors say it, and so do logs
	user   *url.Userinfo // nil: none
	client *http.Client
}

// idle is how long a server may say nothing.
const idle = time.Minute

// NewWeb returns the repository at an address, reached through proxy if that is
// not "".
func NewWeb(address, proxy string) (*Web, error) {
	t := &http.Transport{DialContext: (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: idle, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true}
	if proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil {
			return nil, errors.New("the address of the proxy cannot be read; correct [firmware] proxy")
		}
		t.Proxy = http.ProxyURL(u)
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address of the update repository cannot be read; correct [firmware] repository")
	}
	user := base.User
	base.User = nil
	return &Web{strings.TrimSuffix(base.String(), "/"), user, &http.Client{Transport: t, CheckRedirect: redirect}}, nil
}

// redirect takes name and password along to the same server only.
func redirect(r *http.Request, via []*http.Request) error {
	if r.URL.Scheme != via[0].URL.Scheme || r.URL.Host != via[0].URL.Host {
		r.Header.Del("Authorization")
	}
	if len(via) >= 10 {
		return errors.New("it leads on and on")
	}
	return nil
}

// Open implements Source. A server that does not know ranges sends the file from
// its beginning, which is then passed over.
func (w *Web) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	if w.user != nil {
		password, _ := w.user.Password()
		req.SetBasicAuth(w.user.Username(), password)
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	switch {
	case resp.StatusCode == http.StatusPartialContent && offset > 0:
	case resp.StatusCode == http.StatusOK:
		if _, err := io.CopyN(io.Discard, resp.Body, offset); err != nil {
			resp.Body.Close()
			return nil, fmt.Errorf("%w: %w", errUnreachable, err)
		}
	default:
		resp.Body.Close()
		return nil, &metadata.ErrDownloadHTTP{StatusCode: resp.StatusCode, URL: req.URL.String()}
	}
	return resp.Body, nil
}

// Bundle is a repository in one file, a tar.
type Bundle struct {
	f     *os.File
	parts map[string]part
}

type part struct{ at, size int64 }

// maxParts is more than any bundle has.
const maxParts = 10_000

// tarBlock is what a tar's parts are rounded up to; two of zeros are its end.
const tarBlock = 512

// OpenBundle opens a bundle that has its end.
func OpenBundle(path string) (*Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b := &Bundle{f: f, parts: map[string]part{}}
	if err := b.index(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return b, nil
}

// index finds where each file lies.
func (b *Bundle) index() error {
	st, err := b.f.Stat()
	if err != nil {
		return err
	}
	end := int64(0)
	for t := tar.NewReader(b.f); len(b.parts) < maxParts; {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil && len(b.parts) == 0 {
			return refuse(Damaged, "this file is no update: %v", err)
		}
		if err != nil {
			return refuse(CutShort, "the update is cut short: %v; get the file again", err)
		}
		at, err := b.f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			b.parts[h.Name] = part{at, h.Size}
		}
		end = at + (h.Size+tarBlock-1)/tarBlock*tarBlock + 2*tarBlock
	}
	if len(b.parts) == 0 {
		return refuse(Damaged, "this file is no update: it is empty")
	}
	if st.Size() < end {
		return refuse(CutShort, "the update is cut short: it has %d bytes, want at least %d; get the file again", st.Size(), end)
	}
	return nil
}

// Open implements Source.
func (b *Bundle) Open(_ context.Context, path string, offset int64) (io.ReadCloser, error) {
	p, ok := b.parts[path]
	if !ok {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: path}
	}
	return io.NopCloser(io.NewSectionReader(b.f, p.at+offset, p.size-offset)), nil
}

// Close closes the file.
func (b *Bundle) Close() error { return b.f.Close() }
