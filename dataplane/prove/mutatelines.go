package prove

import (
	"fmt"
	"regexp"
	"strings"
)

// A lineMutation says commands of FTP otherwise. As of requests, what it makes
// need not mean the same: the patched version is the measure.
type lineMutation struct {
	name string
	f    func(lines []string) []step
}

var lineMutations = []lineMutation{
	{"verbs in small letters", verbsAs(strings.ToLower)},
	{"verbs in other case", verbsAs(func(v string) string { return v[:1] + strings.ToLower(v[1:]) })},
	{"arguments in other case", argumentsAs(swapCase)},
	{"two blanks before arguments", argumentsAs(func(a string) string { return " " + a })},
	{"blanks behind", argumentsAs(func(a string) string { return a + "  " })},
	{"arguments in quotes", argumentsAs(func(a string) string { return `"` + a + `"` })},
	{"arguments with a flag", argumentsAs(func(a string) string { return "-a " + a })},
	{"behind another", func(lines []string) []step { return each(append([]string{"SYST"}, lines...)) }},
	{"before another", func(lines []string) []step { return each(append(lines, "SYST", "NOOP")) }},
	{"each twice", func(lines []string) []step {
		var out []string
		for _, l := range lines {
			out = append(out, l, l)
		}
		return each(out)
	}},
	{"after a second login", func(lines []string) []step { return each(append([]string{"USER anonymous", "PASS x"}, lines...)) }},
	{"in one write", func(lines []string) []step { return []step{commands(lines...)} }},
	{"in one write, among others", func(lines []string) []step {
		return []step{commands(append(append([]string{"NOOP", "PWD"}, lines...), "SYST")...)}
	}},
}

// commands sends commands in one write and waits for as many replies.
func commands(lines ...string) step {
	return step{send: []byte(strings.Join(lines, "\r\n") + "\r\n"), wait: regexp.MustCompile(fmt.Sprintf(`(?:(?m:^)[0-9]{3} [^\n]*\n(?s:.*?)){%d}`, len(lines)))}
}

func each(lines []string) (out []step) {
	for _, l := range lines {
		out = append(out, commands(l))
	}
	return out
}

// verbsAs writes the commands' first words otherwise.
func verbsAs(f func(string) string) func([]string) []step {
	return func(lines []string) []step {
		for i, l := range lines {
			verb, rest, _ := strings.Cut(l, " ")
			if verb == "" {
				return nil
			}
			lines[i] = strings.TrimSuffix(f(verb)+" "+rest, " ")
		}
		return each(lines)
	}
}

// argumentsAs writes what stands behind them otherwise.
func argumentsAs(f func(string) string) func([]string) []step {
	return func(lines []string) []step {
		changed := false
		for i, l := range lines {
			if verb, rest, ok := strings.Cut(l, " "); ok {
				lines[i], changed = verb+" "+f(rest), true
			}
		}
		if !changed {
			return nil
		}
		return each(lines)
	}
}
