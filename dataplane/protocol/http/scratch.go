package http

import (
	"sync"

	"wirepatch/dataplane/protocol/itemlist"
)

// scratch is what a turn works with. Sessions share it, one after another, so
// that an idle one holds no more than where it stands; what it keeps from the last
// message serves the next one, which is often alike.
type scratch struct {
	turn  turn
	plan  plan
	vars  variables
	elems [2]elements // by direction

	segments, parameters, form itemlist.List
	cookies, ranges            []*itemlist.List
}

var scratches = sync.Pool{New: func() any { return &scratch{} }}

// elements are those of the message under way.
func (d *Decoder) elements() *elements { return &d.elems[d.turn.h.dir] }
