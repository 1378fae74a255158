package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Editor changes single values in the text of an appliance.ini and leaves all
// else as it stands, comments included: what an owner wrote by hand stays his.
type Editor struct{ lines []string }

// Edit returns an editor of text.
func Edit(text string) *Editor {
	return &Editor{strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
}

// String is the text as it is now.
func (e *Editor) String() string { return strings.Join(e.lines, "\n") + "\n" }

// plainValue is a value that the file needs no quotes for.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9 .,:/_\[\]-]{0,200}$`)

// plainAddress is one that begins with https://, perhaps with a name and password in it.
var plainAddress = regexp.MustCompile(`^[A-Za-z0-9.,:/_~@%?=&+\[\]-]{0,1000}$`)

// plainName is a service or definition that can stand in a section's name.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$`)

// CheckName says whether a service may have the name.
func CheckName(name string) error {
	if !plainName.MatchString(name) || strings.HasSuffix(name, " ") {
		return fmt.Errorf("name %.70q: take 1 to 63 letters, digits, spaces, dots, dashes, underscores", name)
	}
	return nil
}

// plainHost is a name of DNS: letters, digits, dashes, and dots between labels.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

// CheckHost says whether the box may have the name. The kernel takes 64 bytes.
func CheckHost(name string) error {
	if !plainHost.MatchString(name) || len(name) > 64 {
		return fmt.Errorf("host name %.70q: take letters, digits and dashes, as wirepatch-rack7, with dots between parts, 64 at most", name)
	}
	return nil
}

// section finds a section: the line of its header and the line after its last.
func (e *Editor) section(name string) (first, end int, ok bool) {
	for i, l := range e.lines {
		head, isHead := header(l)
		switch {
		case isHead && ok:
			return first, i, true
		case isHead && head == name:
			first, ok = i, true
		}
	}
	return first, len(e.lines), ok
}

// header reads a section's name: quotes round the second word do not matter.
func header(line string) (string, bool) {
	l := strings.TrimSpace(line)
	if !strings.HasPrefix(l, "[") || !strings.HasSuffix(l, "]") {
		return "", false
	}
	kind, rest, _ := strings.Cut(strings.Trim(l, "[]"), " ")
	return strings.TrimSpace(kind + " " + strings.Trim(strings.TrimSpace(rest), `"`)), true
}

// keyOf is the key of a line, "" when it has none.
func keyOf(line string) string {
	l := strings.TrimSpace(line)
	key, _, ok := strings.Cut(l, "=")
	if !ok || strings.HasPrefix(l, ";") || strings.HasPrefix(l, "#") {
		return ""
	}
	return strings.TrimSpace(key)
}

// Set gives a key its value; an empty one takes the key away. A section that is
// not there is begun.
func (e *Editor) Set(section, key, value string) error {
	if !plainValue.MatchString(value) || strings.TrimSpace(value) != value {
		return fmt.Errorf("[%s] %s: got %.80q, want letters, digits and . , : / - _ only", section, key, value)
	}
	if value == "" {
		e.drop(section, key)
	} else {
		e.put(section, key, value)
	}
	return nil
}

// SetAddress gives a key an address of the net; "" takes its line away.
func (e *Editor) SetAddress(section, key, value string) error {
	switch {
	case !plainAddress.MatchString(value):
		return fmt.Errorf("[%s] %s: got %.80q, want an address without blanks and quotes; other signs as %%20", section, key, value)
	case value == "":
		e.drop(section, key)
	default:
		e.put(section, key, value)
	}
	return nil
}

// put gives a key its value, even an empty one.
func (e *Editor) put(section, key, value string) {
	line := strings.TrimRight(key+" = "+value, " ")
	first, end, ok := e.section(section)
	if !ok {
		e.lines = append(e.lines, "", "["+section+"]", line)
		return
	}
	// Behind the last line that says something: comments at the end of a section
	// are most likely about the next one.
	at := first + 1
	for i := first + 1; i < end; i++ {
		switch keyOf(e.lines[i]) {
		case key:
			before, _, _ := strings.Cut(e.lines[i], "=")
			e.lines[i] = strings.TrimRight(before+"= "+value, " ")
			return
		case "":
		default:
			at = i + 1
		}
	}
	e.lines = slices.Insert(e.lines, at, line)
}

// drop takes a key away.
func (e *Editor) drop(section, key string) {
	first, end, ok := e.section(section)
	for i := first + 1; ok && i < end; i++ {
		if keyOf(e.lines[i]) == key {
			e.lines = slices.Delete(e.lines, i, i+1)
			return
		}
	}
}

// Has says whether there is such a section.
func (e *Editor) Has(section string) bool { _, _, ok := e.section(section); return ok }

// Remove takes a section away, its header and keys; comments stay.
func (e *Editor) Remove(section string) {
	first, end, ok := e.section(section)
	if !ok {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(e.lines[first+1:end]), func(l string) bool { return keyOf(l) != "" })
	e.lines = slices.Concat(e.lines[:first], rest, e.lines[end:])
}

// SetService adds or changes a service.
func (e *Editor) SetService(name, address, port, protocol, fail, exceed string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	for _, kv := range [][2]string{{"address", address}, {"port", port}, {"protocol", protocol}, {"fail", fail}, {"exceed", exceed}} {
		if err := e.Set("service "+name, kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}

// RemoveService takes a service away, and the modes and parameters that
// definitions have in it.
func (e *Editor) RemoveService(name string) {
	e.Remove("service " + name)
	e.lines = slices.DeleteFunc(e.lines, func(l string) bool {
		parameter, ok := strings.CutPrefix(keyOf(l), "set.")
		_, service, _ := strings.Cut(parameter, ".")
		return keyOf(l) == "mode."+name || ok && service == name
	})
}

// SetMode gives a definition a mode, in one service or ("") in all; "" as mode
// leaves it to what holds otherwise.
func (e *Editor) SetMode(definition, service, mode string) error {
	if err := CheckName(definition); err != nil {
		return err
	}
	key := "mode"
	if service != "" {
		key = "mode." + service
	}
	return e.Set("patch "+definition, key, mode)
}

// plainParameter says whether the file needs no quotes for a parameter's value:
// printable, without what begins a comment, a quotation or an escape there.
func plainParameter(value string) bool {
	return len(value) <= 1000 && utf8.ValidString(value) && strings.TrimSpace(value) == value && !strings.ContainsFunc(value, func(r rune) bool {
		return !unicode.IsPrint(r) || strings.ContainsRune("\"'`#;%\\", r)
	})
}

var parameterName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// SetParameter gives a definition's parameter a value, in one service or ("") in
// all; an empty value is one, too.
func (e *Editor) SetParameter(definition, service, name, value string) error {
	key, err := parameterKey(definition, service, name)
	if err != nil {
		return err
	}
	if !plainParameter(value) {
		return fmt.Errorf("%s of %s: got %.80q, want up to 1000 printable letters and signs without quotes and # ; %% \\", name, definition, value)
	}
	e.put("patch "+definition, key, value)
	return nil
}

// DropParameter leaves a definition's parameter to what holds otherwise.
func (e *Editor) DropParameter(definition, service, name string) error {
	key, err := parameterKey(definition, service, name)
	if err == nil {
		e.drop("patch "+definition, key)
	}
	return err
}

func parameterKey(definition, service, name string) (string, error) {
	if err := CheckName(definition); err != nil {
		return "", err
	}
	if !parameterName.MatchString(name) {
		return "", fmt.Errorf("parameter %.40q: take lower-case letters, digits and _", name)
	}
	if service == "" {
		return "set." + name, nil
	}
	return "set." + name + "." + service, CheckName(service)
}
