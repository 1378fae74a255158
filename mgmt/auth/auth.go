// Package auth knows who may use the management plane: the administrator's
// password and how it is first set, throttling of guesses, and sessions. It
// knows nothing of HTTP.
package auth

import "errors"

// What may be wrong with what a user handed in. The text is shown to the user.
var (
	ErrPassword = errors.New("this password cannot be used")
	ErrCode     = errors.New("this is not the set-up code; read it on the serial console, where it is printed at each start")
	ErrSet      = errors.New("a password is already set; sign in with it")
	ErrBusy     = errors.New("too many sign-ins at once; try again in a moment")
)
