// Redirects away from slashes at the end, and serves some pages.
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

func main() {
	r := chi.NewRouter()
	r.Use(middleware.RedirectSlashes)
	r.Get("/", page)
	r.Get("/a", page)
	r.Get("/a/b", page)
	r.Post("/a", page)
	r.Get("/user/{name}", page)
	r.Get("/files/*", page)
	r.Get("/cdn", to("//cdn.example/x", 302))
	r.Get("/moved", to("/a", 301))
	r.Get("/elsewhere", to("https://www.example/", 301))
	r.Mount("/sub", sub())
	if err := http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func sub() http.Handler {
	r := chi.NewRouter()
	r.Get("/", page)
	r.Get("/x", page)
	return r
}

func page(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s %s %s\n", r.Method, r.URL.Path, r.URL.RawQuery, chi.URLParam(r, "*"))
}

func to(where string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, where, status) }
}
