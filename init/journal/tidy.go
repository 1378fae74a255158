package journal

import (
	"regexp"
	"strconv"
)

// stamp is how a line of log/slog's text handler begins. The time takes a third
// of a console's line, and INFO says nothing.
var stamp = regexp.MustCompile(`^time=\S+ level=(\S+) msg=("(?:[^"\\]|\\.)*"|\S*)`)

// Tidy shortens a line that log/slog's text handler wrote to what a person reads:
// the level unless it is INFO, the message, the rest. Other lines stay as they are.
func Tidy(line string) string {
	m := stamp.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	message := m[2]
	if u, err := strconv.Unquote(message); err == nil {
		message = u
	}
	text := message + line[len(m[0]):]
	if m[1] != "INFO" {
		text = m[1] + " " + text
	}
	return text
}
