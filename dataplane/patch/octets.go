package patch

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// text1 declares a function of one text.
func text1(name string, result *cel.Type, f func(string) ref.Val) cel.EnvOption {
	return cel.Function(name, cel.Overload("wp_"+strings.ToLower(name), []*cel.Type{cel.StringType}, result,
		cel.UnaryBinding(func(s ref.Val) ref.Val { return f(string(s.(types.String))) })))
}

// octet is text.octet(i): the value of one octet, -1 beyond the text.
func octet(s, i ref.Val) ref.Val {
	text, at := string(s.(types.String)), int64(i.(types.Int))
	if at < 0 || at >= int64(len(text)) {
		return types.Int(-1)
	}
	return types.Int(text[at])
}

// slice is text.slice(from, to) by octets, within the text.
func slice(args ...ref.Val) ref.Val {
	text := string(args[0].(types.String))
	limit := func(v ref.Val) int { return int(min(max(int64(v.(types.Int)), 0), int64(len(text)))) }
	from, to := limit(args[1]), limit(args[2])
	if from > to {
		return types.String("")
	}
	return types.String(text[from:to])
}

// number reads up to eight octets as a number without sign.
func number(s string, little bool) ref.Val {
	if len(s) > 8 || len(s) == 8 && (little && s[7] >= 0x80 || !little && s[0] >= 0x80) {
		return types.NewErr("number of %d octets; want at most 8 that fit 63 bits", len(s))
	}
	var n int64
	for i := range len(s) {
		c := s[i]
		if little {
			c = s[len(s)-1-i]
		}
		n = n<<8 | int64(c)
	}
	return types.Int(n)
}

// octetsOf writes a number in so many octets.
func octetsOf(little bool) func(n, size ref.Val) ref.Val {
	return func(n, size ref.Val) ref.Val {
		v, l := int64(n.(types.Int)), int64(size.(types.Int))
		if l < 1 || l > 8 || v < 0 || l < 8 && v>>(8*l) != 0 {
			return types.NewErr("number %d in %d octets; want one that fits", v, l)
		}
		b := make([]byte, l)
		for i := range b {
			at := len(b) - 1 - i
			if little {
				at = i
			}
			b[at], v = byte(v), v>>8
		}
		return types.String(b)
	}
}

// addressIn says whether an address is in a prefix, or is that address.
func addressIn(address, prefix ref.Val) ref.Val {
	a, err := netip.ParseAddr(string(address.(types.String)))
	text := string(prefix.(types.String))
	if err != nil {
		return types.False
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return types.Bool(p.Contains(a.Unmap()))
	}
	b, err := netip.ParseAddr(text)
	if err != nil {
		return types.NewErr("addressIn: %q; want an address or a prefix, as 192.0.2.0/24", text)
	}
	return types.Bool(a.Unmap() == b.Unmap())
}

// ftpTarget reads the first six numbers of a PORT argument or of a 227 reply, or
// the argument of EPRT (RFC 2428); "" and 0 when there is none.
func ftpTarget(s string) (address string, port int64) {
	t := strings.TrimSpace(s)
	if len(t) > 1 && strings.Count(t, t[:1]) >= 4 && (t[0] < '0' || t[0] > '9') {
		if parts := strings.Split(t, t[:1]); parts[1] == "1" || parts[1] == "2" {
			n, err := strconv.ParseUint(parts[3], 10, 16)
			if a, bad := netip.ParseAddr(parts[2]); bad == nil && err == nil {
				return a.String(), int64(n)
			}
			return "", 0
		}
	}
	from := strings.IndexFunc(t, func(r rune) bool { return r >= '0' && r <= '9' })
	if i := strings.IndexByte(t, '('); i >= 0 {
		from = i + 1
	}
	if from < 0 {
		return "", 0
	}
	end := strings.IndexFunc(t[from:], func(r rune) bool { return r != ',' && r != ' ' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(t) - from
	}
	parts := strings.Split(strings.TrimSpace(t[from:from+end]), ",")
	if len(parts) != 6 {
		return "", 0
	}
	var b [6]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(strings.TrimSpace(p), 10, 8)
		if err != nil {
			return "", 0
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4([4]byte(b[:4])).String(), int64(b[4])<<8 | int64(b[5])
}

// jsonDepth is how deep objects and arrays nest, strings apart. It does not mind
// whether the text is valid: what a parser that stops late would see counts.
func jsonDepth(s string) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case (c == '}' || c == ']') && depth > 0:
			depth--
		}
	}
	return deepest
}

// jsonAt returns the member that a path of keys and indexes leads to, with dots
// between them, "" for the whole; nil when there is none.
func jsonAt(s, path string) json.RawMessage {
	if jsonDepth(s) > maxJSONDepth || !json.Valid([]byte(s)) {
		return nil
	}
	raw := json.RawMessage(strings.TrimSpace(s))
	if path == "" {
		return raw
	}
	for key := range strings.SplitSeq(path, ".") {
		if raw = jsonMember(raw, key); raw == nil {
			return nil
		}
	}
	return raw
}

// jsonType returns the type of a member: object, array, string, number, boolean or
// null; "" when there is none.
func jsonType(s, path string) string {
	raw := jsonAt(s, path)
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// jsonText returns a member: text as it is, anything else as JSON; "" when there is
// none.
func jsonText(s, path string) string {
	raw := jsonAt(s, path)
	var text string
	if json.Unmarshal(raw, &text) == nil && len(raw) > 0 && raw[0] == '"' {
		return text
	}
	return string(raw)
}

// maxJSONDepth bounds what jsonAt goes into.
const maxJSONDepth = 100

func jsonMember(raw json.RawMessage, key string) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) == nil {
		return object[key]
	}
	var list []json.RawMessage
	n, err := strconv.Atoi(key)
	if json.Unmarshal(raw, &list) != nil || err != nil || n < 0 || n >= len(list) {
		return nil
	}
	return list[n]
}

// urlDecode replaces %XX by the octet that it means, and leaves a percent sign
// alone that begins no such thing.
func urlDecode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// urlPath is a path as the URL standard of browsers and Node.js has it: a backslash
// is a slash, segments that are one or two dots, also as %2e, are carried out, and
// empty ones stay.
func urlPath(s string) string {
	var out []string
	segments := strings.Split(strings.TrimPrefix(strings.ReplaceAll(s, "\\", "/"), "/"), "/")
	for i, segment := range segments {
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case "..":
			out = out[:max(0, len(out)-1)]
		case ".":
		default:
			out = append(out, segment)
			continue
		}
		if i == len(segments)-1 {
			out = append(out, "") // the folder that it leads to
		}
	}
	return "/" + strings.Join(out, "/")
}

// base64Decode reads base64 with or without padding, in either alphabet; "" when
// it is none.
func base64Decode(s string) string {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}

// unhex is the text of the octets that are written in hexadecimal, with blanks
// where one likes.
func unhex(s string) ref.Val {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return types.NewErr("unhex: %v", err)
	}
	return types.String(b)
}

// jsonQuote writes a text as a JSON string, quotes and all, and no more escaped
// than it must be.
func jsonQuote(s string) ref.Val {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return types.NewErr("jsonQuote: %v", err)
	}
	return types.String(strings.TrimSuffix(b.String(), "\n"))
}
