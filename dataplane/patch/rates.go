package patch

import (
	"fmt"
	"hash/maphash"
	"reflect"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// State is what rules remember across sessions: how often something happened,
// by client or whatever a rule counts by. It outlives a generation of
// definitions.
type State struct {
	mu    sync.Mutex
	seed  maphash.Seed
	rates map[rateKey]*rate
}

// NewState makes an empty one.
func NewState() *State { return &State{seed: maphash.MakeSeed(), rates: map[rateKey]*rate{}} }

// Bounds of a State.
const (
	maxRates  = 1 << 16 // things counted at once, about 6 MB
	maxWindow = 86_400  // seconds
	tries     = 16      // entries looked at for one to make room
)

type rateKey struct {
	definition, name string
	window           int64
	key              uint64
}

// rate counts in two windows, the present one and the one before: what happened
// within the last window is the first and a share of the second.
type rate struct {
	window  int64 // number of the present window
	now     int64
	before  int64
	touched int64
}

// count adds n to a rate and returns how much it then is.
func (s *State) count(k rateKey, at time.Time, n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec := at.UnixMilli()
	length := k.window * 1000
	number, into := sec/length, sec%length
	r := s.rates[k]
	switch {
	case r == nil && n == 0:
		return 0
	case r == nil:
		s.makeRoom(sec)
		r = &rate{window: number}
		s.rates[k] = r
	case r.window == number:
	case r.window == number-1:
		r.window, r.before, r.now = number, r.now, 0
	default:
		r.window, r.before, r.now = number, 0, 0
	}
	r.now += n
	r.touched = sec
	return r.now + r.before*(length-into)/length
}

// makeRoom takes one entry out of a full table: of a few, one that is over, else
// the one that has counted least.
func (s *State) makeRoom(now int64) {
	if len(s.rates) < maxRates {
		return
	}
	var worst rateKey
	least, looked := int64(-1), 0
	for k, r := range s.rates {
		count := r.now + r.before
		if now-r.touched > 2*k.window*1000 {
			count = 0
		}
		if least < 0 || count < least {
			worst, least = k, count
		}
		if looked++; looked == tries {
			break
		}
	}
	delete(s.rates, worst)
}

// stateVar is how an expression reaches the State: rate(name, key, window) is
// written as a call with this variable in front.
const stateVar = "@state"

var stateType = cel.OpaqueType("wp_state")

// stateVal is the value of stateVar for one rule.
type stateVal struct {
	state      *State
	definition string
	now        time.Time
}

var _ ref.Val = (*stateVal)(nil)

func (v *stateVal) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("state cannot become %v", t)
}
func (v *stateVal) ConvertToType(ref.Type) ref.Val { return types.NewErr("state has no other type") }
func (v *stateVal) Equal(ref.Val) ref.Val          { return types.False }
func (v *stateVal) Type() ref.Type                 { return stateType }
func (v *stateVal) Value() any                     { return v }

var rateMacros = []cel.Macro{cel.GlobalMacro("rate", 3, withState("rate")), cel.GlobalMacro("rateSeen", 3, withState("rateSeen"))}

// withState puts stateVar in front of a call's arguments.
func withState(name string) cel.MacroFactory {
	return func(f cel.MacroExprFactory, _ celast.Expr, args []celast.Expr) (celast.Expr, *common.Error) {
		return f.NewCall(name, append([]celast.Expr{f.NewIdent(stateVar)}, args...)...), nil
	}
}

// rateOf is the function behind rate and rateSeen: n is 1 or 0.
func rateOf(n int64) func(...ref.Val) ref.Val {
	return func(args ...ref.Val) ref.Val {
		v, ok := args[0].(*stateVal)
		window := int64(args[3].(types.Int))
		if !ok || v.state == nil {
			return types.NewErr("rate: nothing is counted here")
		}
		if window < 1 || window > maxWindow {
			return types.NewErr("rate: window of %d seconds; want 1 to %d", window, maxWindow)
		}
		k := rateKey{v.definition, string(args[1].(types.String)), window, maphash.String(v.state.seed, string(args[2].(types.String)))}
		return types.Int(v.state.count(k, v.now, n))
	}
}
