package firmware

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// figure tells what a test has counted or measured: in its log, and in a file of
// its own, which make test shows at its end. A test that passes is not heard else.
func figure(t *testing.T, format string, a ...any) {
	t.Helper()
	text := fmt.Sprintf(format, a...)
	t.Log(text)
	dir := filepath.Join(filepath.Dir(image(t, "wirepatch.img")), "figures")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, t.Name()), []byte(t.Name()+": "+text+"\n"), 0o644)); err != nil {
		t.Error(err)
	}
}
