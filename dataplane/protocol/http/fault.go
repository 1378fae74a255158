package http

// What is done with a message that two recipients could read differently.
//
// "refuse": such a message is never forwarded on our reading alone. Under
// protocol.ExceedReset the session is reset. Under protocol.ExceedPass the rules see the head as
// well as it can be read, their corrections are made, and then everything passes,
// with a report: an attacker who breaks the framing on purpose should not get
// the head past the rules as well.
//
// "decode": RFC 9112 gives it one reading, which is ours; the bytes stay as they
// are. With Options.Ambiguous "refuse" it is refused as well.
//
//	fault                               request  response  why
//	empty lines before the start line   decode   refuse    2.2: a server ignores them; a client reads HTTP/0.9
//	lone LF as line end                 decode   decode    2.2: allowed; servers take it or answer 400
//	folded field line                   decode   decode    5.2: reads as one blank
//	either of the two, and the head     refuse   decode    who reads the line otherwise sees another body length:
//	  speaks of a body length                                the classic way to smuggle a request
//	bare CR, NUL in the head            refuse   decode    2.2, 5.5: ends a line for some, is text for others
//	request or status line out of form  refuse   refuse    3, 4: blanks, tabs, controls split differently
//	field line without colon, bad name  refuse   decode    5.1: dropped, kept or fatal
//	blank before the colon              refuse   decode    5.1: another name for some
//	line of blanks only, fold at top    refuse   decode    5.2, 2.2: end of head for some
//	Content-Length not 1*DIGIT          refuse   refuse    6.3: sign, 0x, underscore, list
//	Content-Lengths that differ         refuse   refuse    6.3
//	equal Content-Lengths, repeated     decode   decode    6.3: one value
//	the same as a list in one field     refuse   decode    6.3: one value, but not all servers read lists
//	folded framing field, or a blank    refuse   refuse    5.1, 5.2, 6.3
//	  before its colon
//	Content-Length, Transfer-Encoding   refuse   decode    6.1: the latter wins for clients; servers differ
//	several Transfer-Encoding lines     refuse   refuse    6.1: first, last or joined
//	Transfer-Encoding, not chunked last refuse   decode    6.3: for a response, until close
//	Transfer-Encoding in HTTP/1.0       refuse   refuse    6.1: faulty framing
//	chunk size not 1*HEXDIG, too large  refuse   refuse    7.1: blank, sign, 0x, underscore, overflow
//	blanks behind a chunk size          refuse   decode    7.1: old servers pad it
//	chunk line ended by LF alone        refuse   decode    7.1: some skip to CRLF and so over data
//	no CRLF behind a chunk              refuse   refuse    7.1
//	chunk line or trailers too long     refuse   refuse    bounded memory
//	head too long                       refuse   refuse    bounded memory
//	stream ends within a head or a      refuse   pass      some servers act on half a request; a client
//	  body that is held                                      sees the break itself
//	Content-Types, or boundaries, that differ,      refuse   decode    first, last or joined; only where rules want the body
//	  a boundary with a comma
//	body in a charset that is not ASCII's           refuse   decode    UTF-16, EBCDIC: read by some, and by no rule; likewise
//	part of a form with two names                   refuse   decode    first or last, plain or extended; likewise
//	101 that no request asked for, or to            refuse   all behind it would pass unseen
//	  HTTP/2 (an offer of h2c and nothing else is
//	  taken out of the request)
//	2xx to CONNECT that has a body: 204, 205,       decode   9110 9.3.6: no tunnel; servers of resources answer
//	  Content-Length or Transfer-Encoding                    CONNECT like any method, and go on in HTTP
//	response without a request                   pass      408 to an idle client; nothing of ours depends on it
//
// Responses are read more leniently where the length of the body is not at
// stake: clients take what sloppy servers send, and so must the box between.
type fault uint8

const (
	faultNone fault = iota
	faultLenientLength
	faultBlankLength
	faultLenient
	faultBareCR
	faultNUL
	faultStartLine
	faultNotHTTP
	faultNoColon
	faultName
	faultBlankColon
	faultBlankLine
	faultLength
	faultLengths
	faultLengthAndCoding
	faultCodings
	faultCoding
	faultCoding10
	faultChunkSize
	faultChunkLF
	faultChunkEnd
	faultChunkLong
	faultTrailersLong
	faultHeadLong
	faultBodyLong
	faultTruncated
	faultOutstanding
	faultSwitch
	faultHTTP2
	faultTypes
	faultCharset
	faultPart
	faultReadings
)

var faultText = [...]string{
	faultNone:            "",
	faultLenientLength:   "lone LF or folded line in a head that speaks of a body length",
	faultBlankLength:     "blank before the colon of a framing field",
	faultLenient:         "lone LF or folded line",
	faultBareCR:          "bare CR in the head",
	faultNUL:             "NUL in the head",
	faultStartLine:       "start line out of form",
	faultNotHTTP:         "not HTTP/1",
	faultNoColon:         "field line without a name and a colon",
	faultName:            "field name is not a token",
	faultBlankColon:      "blank before the colon of a field",
	faultBlankLine:       "line of blanks, or folded line without a field",
	faultLength:          "Content-Length is not a number",
	faultLengths:         "Content-Length fields that differ",
	faultLengthAndCoding: "both Content-Length and Transfer-Encoding",
	faultCodings:         "several Transfer-Encoding fields",
	faultCoding:          "Transfer-Encoding does not end in chunked, or names it twice",
	faultCoding10:        "Transfer-Encoding in an HTTP/1.0 message",
	faultChunkSize:       "chunk size is not a hexadecimal number",
	faultChunkLF:         "line of the chunked framing ends in LF alone",
	faultChunkEnd:        "no CRLF behind the data of a chunk",
	faultChunkLong:       "chunk line is over the limit",
	faultTrailersLong:    "trailers are over the limit",
	faultHeadLong:        "head is over the limit",
	faultBodyLong:        "body that rules ask for is over the limit",
	faultTruncated:       "stream ended within the message",
	faultOutstanding:     "too many requests outstanding",
	faultSwitch:          "101 to a request that offered no other protocol",
	faultHTTP2:           "the server goes on in HTTP/2",
	faultTypes:           "several Content-Types or boundaries that differ",
	faultPart:            "part of a form with two names, or two file names",
	faultReadings:        "body that is to be corrected both as it came and with its content coding undone",
	faultCharset:         "body in a charset that does not begin with ASCII",
}

// faultCodes are what rules see of a fault.
var faultCodes = [...]string{
	faultNone: "", faultLenientLength: "lenient-length", faultBlankLength: "blank-length", faultLenient: "lenient",
	faultBareCR: "bare-cr", faultNUL: "nul", faultStartLine: "start-line", faultNotHTTP: "not-http",
	faultNoColon: "no-colon", faultName: "name", faultBlankColon: "blank-colon", faultBlankLine: "blank-line",
	faultLength: "length", faultLengths: "lengths", faultLengthAndCoding: "length-and-coding",
	faultCodings: "codings", faultCoding: "coding", faultCoding10: "coding-1.0",
	faultChunkSize: "chunk-size", faultChunkLF: "chunk-lf", faultChunkEnd: "chunk-end", faultChunkLong: "chunk-long",
	faultTrailersLong: "trailers-long", faultHeadLong: "head-long", faultBodyLong: "body-long",
	faultTruncated: "truncated", faultOutstanding: "outstanding", faultSwitch: "switch", faultHTTP2: "http2", faultTypes: "types", faultCharset: "charset", faultPart: "part", faultReadings: "readings",
}

// sloppy says whether a fault is one that clients put up with in a response.
func (f fault) sloppy() bool {
	switch f {
	case faultBareCR, faultNUL, faultNoColon, faultName, faultBlankColon, faultBlankLine:
		return true
	}
	return false
}

func (f fault) String() string { return faultText[f] }
