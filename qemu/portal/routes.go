package main

import (
	"crypto/rand"
	_ "embed"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/csrf"
)

//go:embed report.txt
var report []byte

// published is the document's date: the same in every run, so that two portals
// answer alike.
var published = time.Date(2023, time.March, 1, 9, 0, 0, 0, time.UTC)

// portal returns the handler of all pages; it writes the document into dir.
func portal(dir string) (http.Handler, error) {
	document := filepath.Join(dir, "report.txt")
	if err := os.WriteFile(document, report, 0o644); err != nil {
		return nil, err
	}
	if err := os.Chtimes(document, published, published); err != nil {
		return nil, err
	}
	r := gin.New()
	r.GET("/", page)
	r.GET("/docs/", documents) // gin redirects /docs to it
	r.GET("/download", func(c *gin.Context) {
		c.FileAttachment(document, c.DefaultQuery("name", "report.txt"))
	})
	r.Any("/echo", echo)
	r.GET("/big", big)
	if err := forms(r); err != nil {
		return nil, err
	}
	return r, nil
}

// forms adds what gorilla/csrf guards.
func forms(r *gin.Engine) error {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /form", form)
	mux.HandleFunc("POST /publish", publish)
	guarded := csrf.Protect(key, csrf.Secure(false))(mux)
	h := func(c *gin.Context) { guarded.ServeHTTP(c.Writer, plaintext(c.Request)) }
	r.GET("/form", h)
	r.POST("/publish", h)
	return nil
}
