package patch

import (
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// costOptions bounds what evaluations of an expression cost. Each function that
// it calls gets our measure, also where a CEL library brings its own.
func costOptions(a *celast.AST) []cel.ProgramOption {
	opts := []cel.ProgramOption{cel.CostLimit(MaxCost)}
	for _, ref := range a.ReferenceMap() {
		for _, id := range ref.OverloadIDs {
			opts = append(opts, cel.CostTrackerOptions(interpreter.OverloadCostTracker(id, callCost(id))))
		}
	}
	return opts
}

// How many bytes or items one unit buys.
const (
	bytesPerUnit = 100 // going through text
	regexPerUnit = 32  // matching it
	itemsPerUnit = 10  // comparing the items of a list
)

// callCost says what a call costs, in units of about a microsecond's work or less.
// cel-go's own figures suit neither us nor the clock: what goes through a value
// of 64 KB must be affordable, and a loop over thousands of items must not, for
// cel-go's book-keeping of costs makes the time of a loop grow with the square
// of its length.
func callCost(overload string) interpreter.FunctionTracker {
	unit := uint64(bytesPerUnit)
	if strings.HasPrefix(overload, "matches") || strings.HasPrefix(overload, "regex_") || strings.HasPrefix(overload, "wp_json_t") {
		unit = regexPerUnit
	}
	return func(args []ref.Val, result ref.Val) *uint64 {
		n := textSize(result)
		for _, v := range args {
			n += textSize(v)
		}
		n = 1 + n/unit
		if overload == overloads.InList && len(args) == 2 {
			if l, ok := args[1].(traits.Sizer); ok {
				size, _ := l.Size().(types.Int)
				n += uint64(size) / itemsPerUnit
			}
		}
		return &n
	}
}

func textSize(v ref.Val) uint64 {
	switch s := v.(type) {
	case types.String:
		return uint64(len(s))
	case types.Bytes:
		return uint64(len(s))
	}
	return 0
}
