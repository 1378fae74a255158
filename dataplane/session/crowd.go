package session

// crowded is how many segments of changing sessions make a crowd.
const crowded = 8

func (e *Engine) count(s *Session) {
	if s == e.latest {
		e.crowd /= 2
		return
	}
	e.latest, e.crowd = s, min(e.crowd+1, 2*crowded)
}

// Crowded says whether segments come from many sessions at once, none of which
// is likely to wait for the next one alone.
func (e *Engine) Crowded() bool { return e.crowd >= crowded }
