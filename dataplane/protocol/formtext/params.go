package formtext

import "strings"

// folds are the blanks around parameters; the value of a part's field may be folded.
const folds = " \t\r\n"

// Param finds a parameter of a field value such as that of Content-Type or
// Content-Disposition: where its value stands, without quotes. Names are
// compared without case. The first one counts.
func Param(value, name string) (Span, bool) {
	for at := strings.IndexByte(value, ';'); at >= 0 && at < len(value); {
		at++ // the semicolon
		key := Span{at, at}
		for key.End < len(value) && value[key.End] != '=' && value[key.End] != ';' {
			key.End++
		}
		at = key.End
		if at >= len(value) || value[at] == ';' {
			continue
		}
		val, next := paramValue(value, at+1)
		if strings.EqualFold(strings.Trim(key.Cut(value), folds), name) {
			return val, true
		}
		at = next
	}
	return Span{-1, -1}, false
}

// paramValue reads a token or a quoted string at from, and where the next
// semicolon stands.
func paramValue(value string, from int) (s Span, next int) {
	for from < len(value) && strings.IndexByte(folds, value[from]) >= 0 {
		from++
	}
	if from == len(value) || value[from] != '"' {
		end := len(value)
		if i := strings.IndexByte(value[from:], ';'); i >= 0 {
			end = from + i
		}
		return Span{from, from + len(strings.TrimRight(value[from:end], folds))}, end
	}
	s = Span{from + 1, from + 1}
	for s.End < len(value) && value[s.End] != '"' {
		if value[s.End] == '\\' && s.End+1 < len(value) {
			s.End++
		}
		s.End++
	}
	next = s.End
	for next < len(value) && value[next] != ';' {
		next++
	}
	return s, next
}

// Unquote takes the backslashes of a quoted string away.
func Unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// Boundary returns the boundary of a multipart Content-Type, "" when the value
// is none or names no boundary that RFC 2046 allows for.
func Boundary(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	if len(media) < 10 || !strings.EqualFold(media[:10], "multipart/") {
		return ""
	}
	s, ok := Param(contentType, "boundary")
	b := Unquote(s.Cut(contentType))
	if !ok {
		b = looseBoundary(contentType)
	}
	if len(b) > 256 || strings.ContainsAny(b, "\r\n") {
		return ""
	}
	return b
}

// looseBoundary finds a boundary as PHP does: behind the first equals sign behind
// the word, wherever that stands.
func looseBoundary(contentType string) string {
	i := strings.Index(strings.ToLower(contentType), "boundary")
	if i < 0 {
		return ""
	}
	_, b, _ := strings.Cut(contentType[i:], "=")
	if strings.HasPrefix(b, `"`) {
		b, _, _ = strings.Cut(b[1:], `"`)
		return b
	}
	if i = strings.IndexAny(b, ",;"); i >= 0 {
		b = b[:i]
	}
	return b
}

// Values returns the values of all parameters of that name, unquoted.
func Values(value, name string) (out []string) {
	for {
		s, ok := Param(value, name)
		if !ok {
			return out
		}
		out = append(out, Unquote(s.Cut(value)))
		value = value[s.End:]
	}
}

// OneBoundary says whether a Content-Type has no boundary, or just one that all
// recipients read alike: some take the first, some the last, and some end it at a
// comma.
func OneBoundary(contentType string) bool {
	b := Boundary(contentType)
	for _, v := range Values(contentType, "boundary") {
		if v != b {
			return false
		}
	}
	return b == "" || !strings.Contains(b, ",") && looseBoundary(contentType) == b
}
