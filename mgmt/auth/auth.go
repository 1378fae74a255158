// Package auth knows who may use the management plane: users with their roles,
// passwords and second factors, tokens of programs, how the first user is made,
// throttling of guesses, and sessions. It knows nothing of HTTP.
package auth

import "errors"

// What may be wrong with what a user handed in. The text is shown to the user.
var (
	ErrPassword = errors.New("this password cannot be used")
	ErrName     = errors.New("this name cannot be used")
	ErrCode     = errors.New("this is not the set-up code; read it on the serial console, where it is printed at each start")
	ErrSet      = errors.New("a password is already set; sign in with it")
	ErrBusy     = errors.New("too many sign-ins at once; try again in a moment")
	ErrRefused  = errors.New("wrong name or password; if it is lost, docs/management.md says how to set a new one")
	ErrFactor   = errors.New("the code of the second factor is missing, wrong or was used before; type the one that is shown now, or a recovery code")
	ErrClock    = errors.New("the box's clock is not set, so codes of the second factor cannot be checked; use a recovery code, or set the clock on the console")
	ErrTaken    = errors.New("there is one of this name already; take another name")
	ErrNone     = errors.New("there is none of this name")
	ErrMany     = errors.New("there are too many; remove one first")
	ErrLast     = errors.New("this is the last administrator; make another one first")
	ErrKey      = errors.New("this is no public key that can be used; give a line as in ~/.ssh/id_ed25519.pub")
	ErrLife     = errors.New("a token is valid for a day at least and 400 days at most")
)
