// Says which parameters it has read, in the ways that net/http has for that.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
)

// told is how many values there are, and the first of their names.
func told(v url.Values) string {
	names := make([]string, 0, len(v))
	n := 0
	for k, values := range v {
		names, n = append(names, k), n+len(values)
	}
	slices.Sort(names)
	return fmt.Sprintf("%d %.40q", n, names)
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s query=%s\n", r.Method, told(r.URL.Query()))
	})
	http.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseForm()
		fmt.Fprintf(w, "%s form=%s post=%s wrong=%t\n", r.Method, told(r.Form), told(r.PostForm), err != nil)
	})
	http.HandleFunc("/value", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s q=%q posted=%q\n", r.Method, r.FormValue("q"), r.PostFormValue("q"))
	})
	http.HandleFunc("/strict", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		io.WriteString(w, "ok\n")
	})
	http.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseMultipartForm(1 << 20)
		fmt.Fprintf(w, "%s form=%s post=%s wrong=%t\n", r.Method, told(r.Form), told(r.PostForm), err != nil)
	})
	http.HandleFunc("/raw", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s body=%d %v\n", r.Method, n, err)
	})
	if err := http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), nil); err != nil {
		panic(err)
	}
}
