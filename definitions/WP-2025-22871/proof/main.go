// Says what it read of a body.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s body=%q err=%v te=%v trailer=%v\n", r.Method, r.URL.Path, b, err, r.TransferEncoding, r.Trailer)
	})
	http.HandleFunc("/strict", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		io.WriteString(w, "ok\n")
	})
	http.HandleFunc("/unread", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "unread\n") })
	http.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "name=%q err=%v\n", r.FormValue("name"), r.ParseForm())
	})
	if err := http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), nil); err != nil {
		panic(err)
	}
}
