package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// headers sets what goes with every answer. Strict-Transport-Security only once an
// authority's certificate is served: afterwards a browser lets nobody past a
// certificate fault, which the box's own one always is.
func (s *Site) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if s.Certs.Installed() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// limited bounds the time for an answer; guard bounds the size of a request.
func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTime/2)
		defer cancel()
		r = r.WithContext(ctx)
		next.ServeHTTP(w, r)
	})
}

// recovered keeps the fault of one page from being more than that.
func (s *Site) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				s.Log.Error("page failed", "path", r.URL.Path, "cause", fmt.Sprint(v))
				http.Error(w, "This page failed. The log on the serial console has the cause; the wire is not concerned.", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// knownHost refuses names that this box does not have: a foreign page whose
// name was made to resolve to this address (DNS rebinding).
func (s *Site) knownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isOwn(r.Host) {
			s.fail(w, r, visit{}, http.StatusMisdirectedRequest, "Unknown name",
				"This box is not known by the name in the address line.",
				"Open it by its address, or give the box this name: hostname in the section [appliance] of appliance.ini.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Site) isOwn(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	names := s.Certs.Current().TLS.Leaf.DNSNames
	if box := s.Wire.State().Box; box != nil && box.Hostname != "" {
		names = append(slices.Clip(names), box.Hostname, box.Hostname+".local")
	}
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, host) })
}
