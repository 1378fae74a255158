package prove

import (
	"bytes"
	"compress/gzip"
	"io"
	"strconv"

	"github.com/andybalholm/brotli"
)

// encode gives the request another body and says what content coding it has.
// Some servers undo it, others read the body as it is.
func (r *request) encode(coding, body string) bool {
	if r.body == "" || !r.has("Content-Length") || !r.add("Content-Encoding", coding) {
		return false
	}
	r.body = body
	r.headers[r.find("Content-Length")][1] = strconv.Itoa(len(body))
	return true
}

func gzipped(body string) string {
	var b bytes.Buffer
	return coded(&b, gzip.NewWriter(&b), body)
}

func brotlied(body string) string {
	var b bytes.Buffer
	return coded(&b, brotli.NewWriter(&b), body)
}

// coded returns what a coder that writes to b makes of body.
func coded(b *bytes.Buffer, coder io.WriteCloser, body string) string {
	io.WriteString(coder, body)
	coder.Close()
	return b.String()
}
