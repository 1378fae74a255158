package keeper

import "strings"

// Line is one line of the difference between two texts.
type Line struct {
	Sign string // "+", "-", " "
	Text string
}

// near is how many lines that are alike are shown around one that differs.
const near = 2

// Diff compares two texts line by line and leaves out what is far from any
// difference.
func Diff(old, new string) []Line {
	a, b := split(old), split(new)
	all := compare(a, b)
	keep := make([]bool, len(all))
	for i, l := range all {
		if l.Sign == " " {
			continue
		}
		for j := max(0, i-near); j <= min(len(all)-1, i+near); j++ {
			keep[j] = true
		}
	}
	var out []Line
	for i, l := range all {
		if keep[i] {
			out = append(out, l)
		}
	}
	return out
}

func split(s string) []string {
	if s = strings.TrimSuffix(s, "\n"); s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// compare finds the longest common lines between what is alike at both ends.
func compare(a, b []string) []Line {
	var head, tail []Line
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head, a, b = append(head, Line{" ", a[0]}), a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append([]Line{{" ", a[len(a)-1]}}, tail...)
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a)*len(b) > 4_000_000 { // two large texts with nothing in common
		return append(append(append(head, lines("-", a)...), lines("+", b)...), tail...)
	}
	return append(append(head, middle(a, b)...), tail...)
}

func middle(a, b []string) (out []Line) {
	// common[i][j] is how many lines a[i:] and b[j:] have in common.
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			out = append(out, Line{" ", a[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			out = append(out, Line{"-", a[i]})
			i++
		default:
			out = append(out, Line{"+", b[j]})
			j++
		}
	}
	return append(append(out, lines("-", a[i:])...), lines("+", b[j:])...)
}

func lines(sign string, text []string) (out []Line) {
	for _, t := range text {
		out = append(out, Line{sign, t})
	}
	return out
}

// Differing names the sections of two files that are not the same, in their order.
func Differing(old, new string) (names []string) {
	a, _ := sections(old)
	b, order := sections(new)
	for _, name := range order {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	_, order = sections(old)
	for _, name := range order {
		if _, ok := b[name]; !ok {
			names = append(names, name+" (removed)")
		}
	}
	return names
}

// sections cuts a file at its headings; what stands before the first is "[]".
func sections(text string) (all map[string]string, order []string) {
	all = map[string]string{}
	name := "[]"
	for line := range strings.Lines(text) {
		if t := strings.TrimSpace(line); strings.HasPrefix(t, "[") {
			name = t
		}
		if _, ok := all[name]; !ok {
			order = append(order, name)
		}
		all[name] += line
	}
	return all, order
}
