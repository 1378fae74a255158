package formtext

import "strings"

// folds are the blanks around parameters; the value of a part's field may be folded.
const folds = " \t\r\n"

// Parameter is one parameter of a field value, as it is written.
type Parameter struct {
	All   Span // with its name
	Name  Span // without blanks around it
	Value Span // without quotes
	// Sloppy: recipients differ in what they make of it, because it has blanks or
	// quotes where they do not belong, or its quotes do not end.
	Sloppy bool
}

// Params finds the parameters of a field value such as that of Content-Type or
// Content-Disposition.
func Params(value string, yield func(Parameter) bool) {
	for at := strings.IndexByte(value, ';'); at >= 0 && at < len(value); {
		at++ // the semicolon
		end := at
		for end < len(value) && value[end] != '=' && value[end] != ';' {
			end++
		}
		name := Span{at, end}
		at = end
		if at == len(value) || value[at] == ';' {
			continue
		}
		for name.Start < name.End && isFold(value[name.Start]) {
			name.Start++
		}
		for name.Start < name.End && isFold(value[name.End-1]) {
			name.End--
		}
		p, next := paramValue(value, at+1)
		p.Name, p.All.Start = name, name.Start
		p.Sloppy = p.Sloppy || strings.ContainsAny(name.Cut(value), folds+`"`)
		if !yield(p) {
			return
		}
		at = next
	}
}

func isFold(c byte) bool { return strings.IndexByte(folds, c) >= 0 }

// Param finds a parameter by its name: where its value stands, without quotes.
// Names are compared without case. The first one counts.
func Param(value, name string) (Span, bool) {
	found := Span{-1, -1}
	Params(value, func(p Parameter) bool {
		if strings.EqualFold(p.Name.Cut(value), name) {
			found = p.Value
		}
		return found.Start < 0
	})
	return found, found.Start >= 0
}

// paramValue reads a token or a quoted string at from, and where the next
// semicolon stands.
func paramValue(value string, from int) (p Parameter, next int) {
	for from < len(value) && isFold(value[from]) {
		from++
	}
	if from == len(value) || value[from] != '"' {
		next = len(value)
		if i := strings.IndexByte(value[from:], ';'); i >= 0 {
			next = from + i
		}
		p.Value = Span{from, from + len(strings.TrimRight(value[from:next], folds))}
		p.All.End = p.Value.End
		p.Sloppy = strings.ContainsAny(p.Value.Cut(value), folds+`"`)
		return p, next
	}
	p.Value = Span{from + 1, from + 1}
	for p.Value.End < len(value) && value[p.Value.End] != '"' {
		if value[p.Value.End] == '\\' && p.Value.End+1 < len(value) {
			p.Value.End++
		}
		p.Value.End++
	}
	p.All.End = min(p.Value.End+1, len(value))
	next = p.All.End
	for next < len(value) && value[next] != ';' {
		next++
	}
	p.Sloppy = p.Value.End == len(value) || strings.Trim(value[p.All.End:next], folds) != ""
	return p, next
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
	Params(value, func(p Parameter) bool {
		if strings.EqualFold(p.Name.Cut(value), name) {
			out = append(out, Unquote(p.Value.Cut(value)))
		}
		return true
	})
	return out
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
