package http

// exchange is a request whose response is not over, or a reply of our own to a
// request that was not forwarded, waiting for its turn.
type exchange struct {
	reply []byte // not nil: our own, whole
	close bool   // end the session behind the reply

	head    bool // a response to HEAD has no body
	connect bool // it asks for a tunnel
	offers  bool // it names a protocol to go on with
	socket  bool // it asks for WebSocket
	// answered: a reply of our own took the place of an interim response, so
	// all that the server still says to this request is discarded.
	answered bool
	said100  bool // we have said 100 (Continue) in the server's place

	raw     []byte // the request's head as it was forwarded to rules; empty: not kept
	body    string
	coding  string // that was undone, in front of body
	hasBody bool
}

// keepRaw bounds the buffer that an exchange keeps for the next one, in bytes.
const keepRaw = 4 << 10

// keepRing bounds the slots that an empty queue keeps.
const keepRing = 8

// queue is a ring of exchanges, oldest first. It begins again at its first slot
// whenever it runs empty, so that a session without pipelining uses one.
type queue struct {
	ring  []exchange
	first int
	n     int
	bytes int // what the exchanges hold of messages

	pushed, popped uint64 // exchanges so far
}

func (q *queue) front() *exchange {
	if q.n == 0 {
		return nil
	}
	return &q.ring[q.first]
}

// push adds an empty exchange.
func (q *queue) push() *exchange {
	if q.n == len(q.ring) {
		q.grow()
	}
	e := &q.ring[(q.first+q.n)%len(q.ring)]
	q.n++
	*e = exchange{raw: e.raw[:0]}
	q.pushed++
	return e
}

// find returns the exchange that was pushed as that one, nil when it is over.
func (q *queue) find(serial uint64) *exchange {
	if serial <= q.popped || serial > q.pushed {
		return nil
	}
	return &q.ring[(q.first+int(serial-q.popped-1))%len(q.ring)]
}

// answer makes reply the answer to an exchange, with which the session ends.
func (q *queue) answer(e *exchange, reply []byte) {
	q.bytes -= e.size()
	*e = exchange{reply: append([]byte{}, reply...), close: true}
	q.bytes += e.size()
}

func (q *queue) grow() {
	ring := make([]exchange, max(1, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = q.ring[(q.first+i)%len(q.ring)]
	}
	q.ring, q.first = ring, 0
}

// keep puts a request's head, and body if it was held, into the newest exchange.
func (q *queue) keep(e *exchange, head []byte, body, coding string, hasBody bool) {
	e.raw = append(e.raw, head...)
	e.body, e.coding, e.hasBody = body, coding, hasBody
	q.bytes += e.size()
}

// pushReply adds a reply of our own; end: the session ends behind it.
func (q *queue) pushReply(reply []byte, end bool) {
	e := q.push()
	e.reply, e.close = reply, end
	q.bytes += e.size()
}

func (e *exchange) size() int { return len(e.raw) + len(e.body) + len(e.reply) }

func (q *queue) pop() {
	e := &q.ring[q.first]
	q.bytes -= e.size()
	raw := e.raw[:0]
	if cap(raw) > keepRaw {
		raw = nil
	}
	*e = exchange{raw: raw}
	q.n--
	q.popped++
	q.first = (q.first + 1) % len(q.ring)
	if q.n == 0 {
		q.first = 0
		if len(q.ring) > keepRing {
			q.ring = nil
		}
	}
}

// owesReply says whether a reply of our own is waiting.
func (q *queue) owesReply() bool {
	for i := range q.n {
		if q.ring[(q.first+i)%len(q.ring)].reply != nil {
			return true
		}
	}
	return false
}
