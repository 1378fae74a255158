package update

import (
	"errors"
	"fmt"
	"io"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"wirepatch/firmware/slot"
)

// Refusal is why an update was not taken: a code for programs, a text for people
// that says what to do.
type Refusal struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// The codes.
const (
	BadSignature = "bad-signature"
	Expired      = "expired"
	Older        = "older"
	WrongBoard   = "wrong-board"
	TooLarge     = "too-large"
	CutShort     = "cut-short"
	Damaged      = "damaged"
	NoRoom       = "no-room"
	Unreachable  = "unreachable"
	NotReady     = "not-ready"
	HeldBack     = "held-back"
	Failed       = "failed"
)

// Error implements error.
func (r *Refusal) Error() string { return r.Text }

func refuse(code, format string, a ...any) *Refusal { return &Refusal{code, fmt.Sprintf(format, a...)} }

// judge turns any error into a refusal. The order matters: TUF's errors for an
// old or an expired file are kinds of its error for a bad repository.
func judge(err error) *Refusal {
	var already *Refusal
	var http *metadata.ErrDownloadHTTP
	switch {
	case errors.As(err, &already):
		return already
	case errors.Is(err, errUnreachable), errors.As(err, &http):
		return refuse(Unreachable, "the update repository cannot be read: %v; check [firmware] repository and proxy, and the network", err)
	case errors.Is(err, &metadata.ErrDownloadLengthMismatch{}), errors.Is(err, errTooLarge):
		return refuse(TooLarge, "a file of the update is larger than it may be: %v", err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(CutShort, "the update is cut short: %v; get the file again", err)
	case errors.Is(err, &metadata.ErrExpiredMetadata{}):
		return refuse(Expired, "what vouches for the update has expired: %v; get a newer update, and check the box's clock", err)
	case errors.Is(err, &metadata.ErrBadVersionNumber{}):
		return refuse(Older, "the update is older than what this box has seen already: %v", err)
	case errors.Is(err, &metadata.ErrUnsignedMetadata{}):
		return refuse(BadSignature, "the update is not signed by keys that this box trusts: %v", err)
	case errors.Is(err, &metadata.ErrLengthOrHashMismatch{}):
		return refuse(Damaged, "the update is damaged: %v; get the file again", err)
	case errors.Is(err, slot.ErrNoRoom), errors.Is(err, errNoRoom):
		return refuse(NoRoom, "%v", err)
	case errors.Is(err, &metadata.ErrRepository{}), errors.Is(err, &metadata.ErrValue{}), errors.Is(err, &metadata.ErrType{}):
		return refuse(BadSignature, "what vouches for the update is no such thing: %v", err)
	}
	return refuse(Failed, "%v", err)
}

var (
	errUnreachable = errors.New("cannot be reached")
	errTooLarge    = errors.New("too large")
	errNoRoom      = errors.New("the data partition has not enough room")
)
