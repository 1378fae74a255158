//go:build patched

package main

import (
	"net/http"

	"github.com/gorilla/csrf"
)

// plaintext tells gorilla/csrf from 1.7.3 on that there is no TLS, so that it
// compares origins with http:// and asks for no Referer.
func plaintext(r *http.Request) *http.Request { return csrf.PlaintextHTTPRequest(r) }
