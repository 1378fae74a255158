package http

import (
	"errors"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/xmltext"
)

// showXML adds the parts of an XML text.
func (d *Decoder) showXML(text string) {
	h := d.turn.h
	base := h.head.size
	nodes, deepest, err := xmltext.Scan(text, xmltext.Limits{Nodes: maxNodes, Depth: maxDepth})
	d.unseen = d.unseen || errors.Is(err, xmltext.ErrLimit)
	d.documentElement("xml", text, len(nodes), deepest, err)
	if h.want&wantXML == 0 {
		return
	}
	paths := xmlPaths{text: text, nodes: nodes}
	for i := range nodes {
		n := &nodes[i]
		e := d.element(kinds[h.dir].xml, xmlSpan(base, n.All), 6, place{kind: wantXML, end: xmlSpan(base, n.Close)})
		if e == nil {
			return
		}
		name, value, valueSpan := "", "", xmlSpan(base, n.Value)
		if n.Name.Start >= 0 {
			name = text[n.Name.Start:n.Name.End]
		}
		if n.Value.Start >= 0 {
			value = text[n.Value.Start:n.Value.End]
		}
		if n.Type == xmltext.Attribute || n.Type == xmltext.Text {
			value = xmltext.Unescape(value)
		}
		e.Fields[0].SetString("type", n.Type.String(), none)
		e.Fields[1].SetString("key", name, xmlSpan(base, n.Name))
		e.Fields[2].SetString("value", value, valueSpan)
		e.Fields[3].SetString("path", paths.of(i), none)
		e.Fields[4].SetInt("depth", n.Depth)
		e.Fields[5].SetInt("index", i)
	}
}

func xmlSpan(base int, s xmltext.Span) protocol.Span {
	if s.Start < 0 {
		return none
	}
	return protocol.Span{Start: base + s.Start, End: base + s.End}
}

// xmlPaths makes paths of elements (/a/b) and attributes (/a/b/@c).
type xmlPaths struct {
	text  string
	nodes []xmltext.Node
	open  []string // by depth
}

func (p *xmlPaths) of(i int) string {
	n := &p.nodes[i]
	path := ""
	if n.Parent >= 0 {
		path = p.open[n.Depth-1]
	}
	name := ""
	switch {
	case n.Type == xmltext.Element:
		name = "/" + p.text[n.Name.Start:n.Name.End]
	case n.Type == xmltext.Attribute:
		name = "/@" + p.text[n.Name.Start:n.Name.End]
	}
	if len(path)+len(name) > maxPath {
		name = ""
	}
	path += name
	if n.Type == xmltext.Element {
		p.open = append(p.open[:n.Depth], path)
	}
	return path
}
