package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/csrf"
)

const front = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Document portal</title></head>
<body><h1>Document portal</h1>
<ul>
<li><a href="/docs/">Documents</a></li>
<li><a href="/download?name=report.txt">Annual report</a></li>
<li><a href="/form">Publish a note</a></li>
<li><a href="/big?bytes=1000000">One megabyte</a></li>
</ul></body></html>
`

func page(c *gin.Context) {
	c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(front))
}

func documents(c *gin.Context) {
	c.String(http.StatusOK, "annual report 2022\nminutes of the board\n")
}

// form shows the form and the token that must come back with it.
func form(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-CSRF-Token", csrf.Token(r))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html>
<form method="post" action="/publish">%s
<textarea name="note"></textarea> <button>Publish</button></form>
`, csrf.TemplateField(r))
}

func publish(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "published: %s\n", r.PostFormValue("note"))
}

// echoLimit bounds the body that echo reads, in bytes.
const echoLimit = 16 << 20

// received is what echo answers: the request as the server understood it.
type received struct {
	Method  string              `json:"method"`
	Target  string              `json:"target"`
	Proto   string              `json:"proto"`
	Host    string              `json:"host"`
	Headers map[string][]string `json:"headers"`
	Bytes   int                 `json:"bytes"`
	SHA256  string              `json:"sha256"`
	Body    string              `json:"body"`
}

func echo(c *gin.Context) {
	r := c.Request
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, r.Body, echoLimit))
	if err != nil {
		c.String(http.StatusBadRequest, "reading the body: %v\n", err)
		return
	}
	sum := sha256.Sum256(body)
	c.JSON(http.StatusOK, received{
		Method: r.Method, Target: r.RequestURI, Proto: r.Proto, Host: r.Host, Headers: r.Header,
		Bytes: len(body), SHA256: hex.EncodeToString(sum[:]), Body: string(body),
	})
}

// bigLimit bounds the body that big sends, in bytes.
const bigLimit = 10 << 30

// big sends as many bytes as asked for; the byte at each offset is always the
// same and no stretch repeats, so that a lost or swapped piece shows.
func big(c *gin.Context) {
	n, err := strconv.ParseInt(c.Query("bytes"), 10, 64)
	if err != nil || n < 0 || n > bigLimit {
		c.String(http.StatusBadRequest, "bytes: want a number from 0 to %d\n", int64(bigLimit))
		return
	}
	c.Header("Content-Type", "application/octet-stream")
	c.Header("Content-Length", strconv.FormatInt(n, 10))
	var block [64 << 10]byte
	for word := uint64(0); n > 0; {
		for i := 0; i < len(block); i += 8 {
			binary.BigEndian.PutUint64(block[i:], splitmix(word))
			word++
		}
		k := min(n, int64(len(block)))
		if _, err := c.Writer.Write(block[:k]); err != nil {
			return // the client is gone
		}
		n -= k
	}
}

// splitmix is the output function of the SplitMix64 generator (Steele, Lea,
// Flood: Fast splittable pseudorandom number generators, 2014).
func splitmix(n uint64) uint64 {
	z := (n + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
