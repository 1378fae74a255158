package control

import (
	"fmt"
	"strconv"
	"strings"
)

// Parameter is a value that the owner gives a definition. Values are as settings
// have them.
type Parameter struct {
	Name    string `json:"name"`
	About   string `json:"about"` // what to give, for the owner
	Type    string `json:"type"`  // "text", "number", "truth": yes or no, "list": texts, separated by commas
	Default string `json:"default"`
	// Values are in force: by service where it has its own, by "" in all others.
	// None while the definition is set aside for its values.
	Values map[string]string `json:"values"`
}

// In is the value that is in force in a service.
func (p Parameter) In(service string) string {
	if v, ok := p.Values[service]; ok {
		return v
	}
	return p.Values[""]
}

// Check says whether the definition would take the value.
func (p Parameter) Check(value string) error {
	switch p.Type {
	case "number":
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("%s: got %.80q, want a whole number", p.Name, value)
		}
	case "truth":
		if value != "yes" && value != "no" && value != "true" && value != "false" {
			return fmt.Errorf("%s: got %.80q, want yes or no", p.Name, value)
		}
	}
	return nil
}

// Same says whether two values mean the same: a truth value, a number and a list
// can be written in more than one way.
func (p Parameter) Same(a, b string) bool { return p.plain(a) == p.plain(b) }

func (p Parameter) plain(v string) string {
	switch {
	case p.Type == "truth" && v == "true":
		return "yes"
	case p.Type == "truth" && v == "false":
		return "no"
	case p.Type == "number":
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
	case p.Type == "list":
		var list []string
		for one := range strings.SplitSeq(v, ",") {
			if one = strings.TrimSpace(one); one != "" {
				list = append(list, one)
			}
		}
		return strings.Join(list, ", ")
	}
	return v
}
