package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

// What clients compress is read twice by the rules, and once it is noise. With all
// definitions on, none of it changes but in how it is coded, and that only where the
// noise says something by chance.
func TestCompressedHarmless(t *testing.T) {
	set := allOn(t, "WP-2025-7338") // multer undoes no coding: what is noise to it ends in a file, as it is told
	r := rand.New(rand.NewPCG(1, 2))
	compress := map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"zstd":    func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); return z },
	}
	all, anew := 0, 0
	for i := range 6 {
		for _, body := range []func(*rand.Rand) (string, []byte){someJSON, someForm, someParts} {
			name, plain := body(r)
			for _, coding := range slices.Sorted(maps.Keys(compress)) {
				var b bytes.Buffer
				w := compress[coding](&b)
				all++
				w.Write(plain)
				w.Close()
				post := fmt.Sprintf("POST /api/items?id=%d HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", i, name, coding, b.Len(), b.String())
				wire := wiretest.New(t, allDecoders()["http"].New(set, protocol.Conn{}))
				wire.Client(post)
				got := wire.ToServer()
				if got != post {
					anew++
				}
				if read := received(t, got, coding); read != string(plain) || wire.End != session.Continue {
					t.Errorf("%s in %s, %d: %d octets that say %d, end %d, %v; want what %d octets said", name, coding, i, len(got), len(read), wire.End, wire.Evidence(), len(plain))
				}
			}
		}
	}
	t.Logf("%d of %d coded anew", anew, all)
	if anew > all/10 {
		t.Errorf("%d of %d bodies were coded anew; want a few", anew, all)
	}
}

// received is the body of a request as a server reads it that undoes the coding.
func received(t *testing.T, request, coding string) string {
	t.Helper()
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
	if err != nil {
		t.Errorf("to the server: %v", err)
		return ""
	}
	var r io.Reader = req.Body
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		return err.Error()
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func word(r *rand.Rand) string {
	b := make([]byte, 1+r.IntN(12))
	for i := range b {
		b[i] = 'a' + byte(r.IntN(26))
	}
	return string(b)
}

func someJSON(r *rand.Rand) (string, []byte) {
	list := make([]map[string]any, 1+r.IntN(200))
	for i := range list {
		list[i] = map[string]any{word(r): word(r), word(r): r.IntN(1000), word(r): []any{word(r), nil, true, r.Float64()}}
	}
	b, _ := json.Marshal(list)
	return "application/json", b
}

func someForm(r *rand.Rand) (string, []byte) {
	v := url.Values{}
	for range 1 + r.IntN(2000) {
		v.Set(word(r), word(r)+" "+word(r))
	}
	return "application/x-www-form-urlencoded", []byte(v.Encode())
}

func someParts(r *rand.Rand) (string, []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for range 1 + r.IntN(9) {
		w.WriteField(word(r), word(r))
		f, _ := w.CreateFormFile(word(r), word(r)+".bin")
		noise := make([]byte, r.IntN(20000))
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		f.Write(noise)
	}
	w.Close()
	return w.FormDataContentType(), b.Bytes()
}
