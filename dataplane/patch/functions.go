package patch

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"path"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"golang.org/x/text/encoding/charmap"

	"wirepatch/dataplane/protocol/percent"
)

// maxRepeat bounds what repeat makes, in bytes.
const maxRepeat = MaxVector

// function is one of our additions to CEL. The table below is also what
// docs/definitions.md is checked against.
type function struct {
	name string
	opt  cel.EnvOption
}

var functions = []function{
	{"first", cel.Function("first",
		cel.MemberOverload("wp_map_first", []*cel.Type{stringMap, cel.StringType}, cel.StringType,
			cel.BinaryBinding(firstOfKey)))},
	{"values", cel.Function("values",
		cel.MemberOverload("wp_map_values", []*cel.Type{stringMap, cel.StringType}, cel.ListType(cel.StringType),
			cel.BinaryBinding(valuesOfKey)))},
	{"count", cel.Function("count",
		cel.MemberOverload("wp_string_count", []*cel.Type{cel.StringType, cel.StringType}, cel.IntType,
			cel.BinaryBinding(func(s, sub ref.Val) ref.Val {
				return types.Int(strings.Count(string(s.(types.String)), string(sub.(types.String))))
			})))},
	{"repeat", cel.Function("repeat",
		cel.MemberOverload("wp_string_repeat", []*cel.Type{cel.StringType, cel.IntType}, cel.StringType,
			cel.BinaryBinding(repeat)))},
	{"pathClean", cel.Function("pathClean",
		cel.Overload("wp_path_clean", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(func(s ref.Val) ref.Val {
				return types.String(path.Clean(string(s.(types.String))))
			})))},
	{"rate", cel.Function("rate",
		cel.Overload("wp_rate", []*cel.Type{stateType, cel.StringType, cel.StringType, cel.IntType}, cel.IntType,
			cel.FunctionBinding(rateOf(1))))},
	{"rateSeen", cel.Function("rateSeen",
		cel.Overload("wp_rate_seen", []*cel.Type{stateType, cel.StringType, cel.StringType, cel.IntType}, cel.IntType,
			cel.FunctionBinding(rateOf(0))))},
	{"jsonDepth", text1("jsonDepth", cel.IntType, func(s string) ref.Val { return types.Int(jsonDepth(s)) })},
	{"jsonText", cel.Function("jsonText",
		cel.Overload("wp_json_text", []*cel.Type{cel.StringType, cel.StringType}, cel.StringType, cel.BinaryBinding(textOfTwo(jsonText))))},
	{"jsonType", cel.Function("jsonType",
		cel.Overload("wp_json_type", []*cel.Type{cel.StringType, cel.StringType}, cel.StringType, cel.BinaryBinding(textOfTwo(jsonType))))},
	{"jsonQuote", text1("jsonQuote", cel.StringType, jsonQuote)},
	{"htmlEscape", text1("htmlEscape", cel.StringType, func(s string) ref.Val { return types.String(html.EscapeString(s)) })},
	{"urlDecode", text1("urlDecode", cel.StringType, func(s string) ref.Val { return types.String(urlDecode(s)) })},
	{"urlPath", text1("urlPath", cel.StringType, func(s string) ref.Val { return types.String(urlPath(s)) })},
	{"urlEncode", text1("urlEncode", cel.StringType, func(s string) ref.Val { return types.String(percent.Encode(s, "/")) })},
	{"base64Decode", text1("base64Decode", cel.StringType, func(s string) ref.Val { return types.String(base64Decode(s)) })},
	{"base64Encode", text1("base64Encode", cel.StringType, func(s string) ref.Val {
		return types.String(base64.StdEncoding.EncodeToString([]byte(s)))
	})},
	{"latin1Decode", text1("latin1Decode", cel.StringType, latin1(func(s string) (string, error) { return charmap.ISO8859_1.NewDecoder().String(s) }))},
	{"latin1Encode", text1("latin1Encode", cel.StringType, latin1(func(s string) (string, error) { return charmap.ISO8859_1.NewEncoder().String(s) }))},
	{"hex", text1("hex", cel.StringType, func(s string) ref.Val { return types.String(hex.EncodeToString([]byte(s))) })},
	{"unhex", text1("unhex", cel.StringType, unhex)},
	{"octets", text1("octets", cel.IntType, func(s string) ref.Val { return types.Int(len(s)) })},
	{"octet", cel.Function("octet",
		cel.MemberOverload("wp_octet", []*cel.Type{cel.StringType, cel.IntType}, cel.IntType, cel.BinaryBinding(octet)))},
	{"slice", cel.Function("slice",
		cel.MemberOverload("wp_slice", []*cel.Type{cel.StringType, cel.IntType, cel.IntType}, cel.StringType, cel.FunctionBinding(slice)))},
	{"bigEndian", text1("bigEndian", cel.IntType, func(s string) ref.Val { return number(s, false) })},
	{"littleEndian", text1("littleEndian", cel.IntType, func(s string) ref.Val { return number(s, true) })},
	{"toBigEndian", cel.Function("toBigEndian",
		cel.Overload("wp_to_big", []*cel.Type{cel.IntType, cel.IntType}, cel.StringType, cel.BinaryBinding(octetsOf(false))))},
	{"toLittleEndian", cel.Function("toLittleEndian",
		cel.Overload("wp_to_little", []*cel.Type{cel.IntType, cel.IntType}, cel.StringType, cel.BinaryBinding(octetsOf(true))))},
	{"addressIn", cel.Function("addressIn",
		cel.Overload("wp_address_in", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(addressIn)))},
	{"ftpAddress", text1("ftpAddress", cel.StringType, func(s string) ref.Val { a, _ := ftpTarget(s); return types.String(a) })},
	{"ftpPort", text1("ftpPort", cel.IntType, func(s string) ref.Val { _, p := ftpTarget(s); return types.Int(p) })},
	{"urlHost", cel.Function("urlHost",
		cel.Overload("wp_url_host", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(urlPart(func(u *url.URL) string { return u.Host }))))},
	{"urlScheme", cel.Function("urlScheme",
		cel.Overload("wp_url_scheme", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(urlPart(func(u *url.URL) string { return u.Scheme }))))},
	{"queryValues", cel.Function("queryValues",
		cel.Overload("wp_query_values", []*cel.Type{cel.StringType}, cel.ListType(cel.StringType),
			cel.UnaryBinding(queryValues)))},
}

func textOfTwo(f func(a, b string) string) func(a, b ref.Val) ref.Val {
	return func(a, b ref.Val) ref.Val { return types.String(f(string(a.(types.String)), string(b.(types.String)))) }
}

var stringMap = cel.MapType(cel.StringType, cel.ListType(cel.StringType))

// firstOfKey is map.first(key): the first value of a key, or "" when it is absent.
func firstOfKey(m, key ref.Val) ref.Val {
	v, ok := m.(traits.Mapper).Find(key)
	if list, isList := v.(traits.Lister); ok && isList && list.Size() != types.IntZero {
		return list.Get(types.IntZero)
	}
	return types.String("")
}

// valuesOfKey is map.values(key): all values of a key, an empty list when it is absent.
func valuesOfKey(m, key ref.Val) ref.Val {
	if v, ok := m.(traits.Mapper).Find(key); ok {
		return v
	}
	return types.DefaultTypeAdapter.NativeToValue([]string{})
}

// urlPart reads one part of a URL as Go's net/url does; "" when it is no URL.
func urlPart(part func(*url.URL) string) func(ref.Val) ref.Val {
	return func(s ref.Val) ref.Val {
		u, err := url.Parse(string(s.(types.String)))
		if err != nil {
			return types.String("")
		}
		return types.String(part(u))
	}
}

// latin1 turns octets of ISO 8859-1 into text or the other way round. Text with
// a character that has no octet there has no value.
func latin1(convert func(string) (string, error)) func(string) ref.Val {
	return func(s string) ref.Val {
		out, err := convert(s)
		if err != nil {
			return types.NewErr("ISO 8859-1: %v", err)
		}
		return types.String(out)
	}
}

// queryValues decodes the values of a query or a form as Go's net/url does, in
// order; what cannot be decoded is left out.
func queryValues(s ref.Val) ref.Val {
	var out []string
	for pair := range strings.SplitSeq(string(s.(types.String)), "&") {
		key, value, _ := strings.Cut(pair, "=")
		if pair == "" || strings.Contains(pair, ";") {
			continue
		}
		v, err := url.QueryUnescape(value)
		if _, bad := url.QueryUnescape(key); bad == nil && err == nil {
			out = append(out, v)
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(out)
}

func repeat(s, n ref.Val) ref.Val {
	text, times := string(s.(types.String)), int64(n.(types.Int))
	if times < 0 || times > maxRepeat || int64(len(text))*times > maxRepeat {
		return types.NewErr("repeat: result would exceed %d bytes", maxRepeat)
	}
	return types.String(strings.Repeat(text, int(times)))
}

// Functions names the functions that this package adds to CEL.
func Functions() []string {
	var names []string
	for _, f := range functions {
		names = append(names, f.name)
	}
	return names
}
