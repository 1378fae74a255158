package smtp

import (
	"bytes"
	"strings"

	"wirepatch/dataplane/protocol"
)

// commandElement publishes a command, and of MAIL and RCPT the address.
func commandElement(cmd *command, text []byte, from, end, arg, stop int) protocol.Element {
	none := protocol.Span{Start: -1, End: -1}
	address, span := "", none
	if colon := strings.IndexByte(cmd.argument, ':'); colon >= 0 && (cmd.name == "mail" || cmd.name == "rcpt") {
		span = pathOf(text[:stop], arg+colon+1)
		address = string(text[span.Start:span.End])
	}
	local, domain := address, ""
	if at := lastAt(address); at >= 0 {
		local, domain = address[:at], address[at+1:]
	}
	return protocol.Element{Kind: "command", Span: protocol.Span{Start: 0, End: len(text)}, Fields: []protocol.Field{
		{Name: "name", Value: cmd.name, Span: protocol.Span{Start: from, End: end}},
		{Name: "argument", Value: cmd.argument, Span: protocol.Span{Start: arg, End: stop}},
		{Name: "address", Value: address, Span: span},
		{Name: "local", Value: local, Span: none},
		{Name: "domain", Value: domain, Span: none},
	}}
}

// pathOf finds the address that begins behind a colon: within <>, or up to the
// next blank. A source route in front of it (RFC 5321 appendix C) is left out, as
// servers do. By the grammar (section 4.1.2) the path begins at once; but servers
// take a phrase or comments in front of it, as header fields have.
func pathOf(text []byte, from int) protocol.Span {
	from = skip(text, from)
	open := opening(text, from)
	if open < 0 {
		end := from
		for end < len(text) && !isBlank(text[end]) {
			end++
		}
		return protocol.Span{Start: from, End: end}
	}
	end := find(text, open, '>')
	if end < 0 {
		end = len(text)
	}
	text = text[:end]
	if from = skip(text, open+1); from < end && text[from] == '@' {
		if colon := find(text, from, ':'); colon >= 0 {
			from = skip(text, colon+1)
		}
	}
	for end > from && isBlank(text[end-1]) {
		end--
	}
	return protocol.Span{Start: from, End: end}
}

// opening finds the < in front of an address, which is none within quotes, a
// comment or a parameter; -1: there is none.
func opening(text []byte, from int) int {
	word := from
	for at := from; at < len(text); at++ {
		switch text[at] {
		case ' ', '\t':
			word = at + 1
		case '"':
			at = quoteEnd(text, at)
		case '(':
			at = commentEnd(text, at)
		case '<':
			if bytes.IndexByte(text[word:at], '=') >= 0 {
				return -1
			}
			return at
		}
	}
	return -1
}

// skip goes over blanks and whole comments.
func skip(text []byte, at int) int {
	for at < len(text) {
		switch {
		case isBlank(text[at]):
			at++
		case text[at] == '(' && commentEnd(text, at) < len(text):
			at = commentEnd(text, at) + 1
		default:
			return at
		}
	}
	return at
}

// quoteEnd finds the quote that closes the one at at; the end of text without.
func quoteEnd(text []byte, at int) int {
	for at++; at < len(text) && text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return min(at, len(text))
}

// commentEnd finds the parenthesis that closes the one at at; the end of text
// without.
func commentEnd(text []byte, at int) int {
	for depth := 0; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return at
			}
		}
	}
	return len(text)
}

// find finds the first b that is not within quotes; -1: there is none.
func find(text []byte, at int, b byte) int {
	for ; at < len(text); at++ {
		switch text[at] {
		case b:
			return at
		case '"':
			at = quoteEnd(text, at)
		}
	}
	return -1
}

// lastAt finds the last @ of an address that is not within quotes.
func lastAt(address string) int {
	last := -1
	for at := find([]byte(address), 0, '@'); at >= 0; at = find([]byte(address), at+1, '@') {
		last = at
	}
	return last
}
