package wire

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
)

// cause says in words for people why the dataplane could not be asked.
func cause(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer within " + answerTime.String()
	case errors.Is(err, fs.ErrNotExist):
		return "its socket is not there"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens on its socket"
	case errors.Is(err, fs.ErrPermission):
		return "the management program may not open its socket"
	}
	return err.Error()
}
