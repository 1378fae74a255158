package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// want is a set of kinds of elements.
type want uint32

const (
	wantLine want = 1 << iota
	wantSegment
	wantParameter
	wantHeader
	wantCookie
	wantRange
	wantBody
	wantForm
	wantMultipart
	wantPart
	wantPartHeader
	wantDocument
	wantJSON
	wantXML
	wantChunk
	wantTrailer
)

// What needs the content of the body, and what its chunked framing.
const (
	wantParts   = wantMultipart | wantPart | wantPartHeader
	wantText    = wantDocument | wantJSON | wantXML
	wantContent = wantBody | wantForm | wantParts | wantText
	wantFraming = wantChunk | wantTrailer
)

// kindNames are the names of the kinds of one direction; "" it has none.
type kindNames struct {
	message, line, segment, parameter, header, cookie       string
	ranges                                                  string
	body, form, multipart, part, partHeader, document, json string
	xml, chunk, trailer                                     string
}

var kinds = [2]kindNames{
	session.ToServer: {
		message: "request", line: "request.line", segment: "request.segment", parameter: "request.parameter",
		header: "request.header", cookie: "request.cookie", ranges: "request.range", body: "request.body", form: "request.form",
		multipart: "request.multipart", part: "request.part", partHeader: "request.part.header",
		document: "request.document", json: "request.json", xml: "request.xml",
		chunk: "request.chunk", trailer: "request.trailer",
	},
	session.ToClient: {
		message: "response", line: "response.line", header: "response.header", cookie: "response.cookie",
		body: "response.body", document: "response.document", json: "response.json", xml: "response.xml",
		chunk: "response.chunk", trailer: "response.trailer",
	},
}

// wanted are the kinds of one direction as a decoder asks for them.
var wanted = [2][]struct {
	kind string
	want want
}{}

func init() {
	for dir := range kinds {
		k := &kinds[dir]
		for i, name := range []string{k.line, k.segment, k.parameter, k.header, k.cookie, k.ranges, k.body, k.form, k.multipart,
			k.part, k.partHeader, k.document, k.json, k.xml, k.chunk, k.trailer} {
			if name != "" {
				wanted[dir] = append(wanted[dir], struct {
					kind string
					want want
				}{name, 1 << i})
			}
		}
	}
}

// wants returns the kinds that rules ask for in a direction.
func (d *Decoder) wants(dir session.Direction) want {
	var w want
	for _, k := range wanted[dir] {
		if d.rules.Wants(k.kind) {
			w |= k.want
		}
	}
	return w
}

// wantsFirst returns those of the kinds asked for that rules want to see all of
// before they are asked about any.
func (d *Decoder) wantsFirst(dir session.Direction, of want) want {
	s, ok := d.rules.(protocol.Surveyor)
	if !ok {
		return 0
	}
	var w want
	for _, k := range wanted[dir] {
		if of&k.want != 0 && s.SurveyOf(k.kind) {
			w |= k.want
		}
	}
	return w
}
