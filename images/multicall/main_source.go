package multicall

import (
	"fmt"
	"go/format"
	"maps"
	"slices"
	"strings"
)

// mainSource is the source of the binary's main package.
func mainSource(imports []string, aliases map[string]string) ([]byte, error) {
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n\"fmt\"\n\"os\"\n\"path/filepath\"\n\n\"github.com/u-root/gobusybox/src/pkg/bb/bbmain\"\n")
	for _, i := range imports {
		fmt.Fprintf(&b, "_ %q\n", i)
	}
	b.WriteString(")\n\n// names: a program may have several.\nvar names = map[string]string{\n")
	for _, a := range slices.Sorted(maps.Keys(aliases)) {
		fmt.Fprintf(&b, "%q: %q,\n", a, aliases[a])
	}
	b.WriteString(`}

func main() {
	name := filepath.Base(os.Args[0])
	if n, ok := names[name]; ok {
		name = n
	}
	if err := bbmain.Run(name); err != nil {
		fmt.Fprintf(os.Stderr, "%s: no such program in this image\n", name)
		os.Exit(127)
	}
}
`)
	return format.Source([]byte(b.String()))
}
