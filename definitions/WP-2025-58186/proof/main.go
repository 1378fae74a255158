// Says which cookies it finds in a request.
package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"strings"
)

// told writes cookies short: how many, the first and last few, and a sum of all.
func told(cookies []*http.Cookie) string {
	all := make([]string, len(cookies))
	for i, c := range cookies {
		all[i] = fmt.Sprintf("%s=%q", c.Name, c.Value)
	}
	some := all
	if len(all) > 6 {
		some = append(append([]string{}, all[:3]...), all[len(all)-3:]...)
	}
	return fmt.Sprintf("%d cookies %.300s sum %08x", len(all), some, crc32.ChecksumIEEE([]byte(strings.Join(all, ";"))))
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		delete(r.Header, "Cookie")
		delete(r.Header, "Connection")
		fmt.Fprintf(w, "%s %s %s %.2000q headers %d body %d %v\n", r.Method, r.URL.Path, r.Host, r.URL.RawQuery, len(r.Header), len(body), err)
	})
	http.HandleFunc("/all", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, told(r.Cookies())) })
	http.HandleFunc("/named", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, told(r.CookiesNamed(r.FormValue("name"))))
	})
	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("session")
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: c.Value})
		fmt.Fprintf(w, "hello %.100q\n", c.Value)
	})
	http.HandleFunc("/parse", func(w http.ResponseWriter, r *http.Request) {
		cookies, err := http.ParseCookie(r.Header.Get("Cookie"))
		if err != nil {
			http.Error(w, "bad cookies", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, told(cookies))
	})
	// Bodies are read first: of one that is not, the appliance's own 100 (Continue) would tell.
	reads := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.DefaultServeMux.ServeHTTP(w, r)
	})
	if err := http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), reads); err != nil {
		panic(err)
	}
}
