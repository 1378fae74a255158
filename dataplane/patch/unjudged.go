package patch

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/interpreter"
)

var errMessageTooDear = errors.New("the rules have taken longer than they may with one message")

// unjudged gathers, for authors, the evaluations that failed. A nil one gathers
// nothing.
type unjudged struct {
	said  []string
	times map[string]int
}

// maxUnjudged bounds how many are told apart.
const maxUnjudged = 10

func (u *unjudged) add(r *rule, err error) {
	if u == nil {
		return
	}
	var broken interpreter.EvalCancelledError
	if errors.As(err, &broken) {
		err = errors.New("it costs too much")
	}
	text := fmt.Sprintf("rule %d at %s: %v", r.index, r.kind, err)
	if u.times[text] == 0 {
		if len(u.said) == maxUnjudged {
			return
		}
		u.said = append(u.said, text)
	}
	if u.times == nil {
		u.times = map[string]int{}
	}
	u.times[text]++
}

// texts returns one line for each that is told apart.
func (u *unjudged) texts() (out []string) {
	for _, s := range u.said {
		if n := u.times[s]; n > 1 {
			s += fmt.Sprintf(" (%d times)", n)
		}
		out = append(out, s)
	}
	return out
}

// failed counts an evaluation that failed, or was broken off for what it cost.
func (r *rule) failed(err error) {
	r.def.errors.Add(1)
	r.def.unjudged.add(r, err)
}
