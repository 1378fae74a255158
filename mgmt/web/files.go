package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"path"
	"time"
)

//go:embed templates/*.gohtml
var templateFS embed.FS

//go:embed static/*
var staticFS embed.FS

func parseTemplates() (*template.Template, error) {
	funcs := template.FuncMap{"modes": func() []string { return definitionModes }}
	return template.New("").Funcs(funcs).ParseFS(templateFS, "templates/*.gohtml")
}

// staticFiles returns a handler for each embedded file, by its path: there is
// no directory to list and no path to climb. They are asked for anew each time
// and answered by their hash, so that an update of the firmware is seen.
func staticFiles() map[string]func(http.ResponseWriter, *http.Request, visit) {
	files := map[string]func(http.ResponseWriter, *http.Request, visit){}
	entries, err := staticFS.ReadDir("static")
	if err != nil {
		panic(err) // embedded: cannot fail at run time
	}
	for _, e := range entries {
		content, err := staticFS.ReadFile(path.Join("static", e.Name()))
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		tag := `"` + hex.EncodeToString(sum[:8]) + `"`
		files["/static/"+e.Name()] = func(w http.ResponseWriter, r *http.Request, _ visit) {
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("ETag", tag)
			http.ServeContent(w, r, e.Name(), time.Time{}, bytes.NewReader(content))
		}
	}
	return files
}
