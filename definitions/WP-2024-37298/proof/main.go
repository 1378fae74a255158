// Tells what it has read from a query or a form.
package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/gorilla/schema"
)

type tag struct{ Name string }

type item struct {
	Name string
	Tags []tag
}

type order struct {
	User  string
	Items []item
}

var decoder = schema.NewDecoder()

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil && err != http.ErrNotMultipart {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var o order
		if err := decoder.Decode(&o, r.Form); err != nil {
			http.Error(w, all(err), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%q has %d:", o.User, len(o.Items))
		for i, it := range o.Items {
			if it.Name != "" || len(it.Tags) > 0 {
				fmt.Fprintf(w, " %d is %q with %d", i, it.Name, len(it.Tags))
			}
		}
		fmt.Fprintln(w)
	})
	if err := http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// all is what is wrong with each key, in the order of the keys.
func all(err error) string {
	several, ok := err.(schema.MultiError)
	if !ok {
		return err.Error()
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(several)) {
		out = append(out, several[key].Error())
	}
	return strings.Join(out, "\n")
}
