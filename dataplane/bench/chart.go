package main

import (
	"bytes"
	"fmt"
)

// The chart's measures, in pixels. A bar as long as unit is the bridge.
const (
	labelWidth = 330
	unit       = 360
	barHeight  = 18
	barStep    = 30
	chartTop   = 44
)

// chart draws the ratios as bars, with a stroke at each goal and a line at the
// bridge.
func chart(figures []figure) []byte {
	var bars bytes.Buffer
	y, longest := chartTop, 1.0
	for _, f := range figures {
		if f.Ratio == nil {
			continue
		}
		ratio, g := *f.Ratio, goals[f.name]
		longest = max(longest, ratio)
		colour := "#2f7d4f"
		if ratio < g.least {
			colour = "#c2571a"
		}
		fmt.Fprintf(&bars, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labelWidth-10, y+14, g.what)
		fmt.Fprintf(&bars, `<rect x="%d" y="%d" width="%.0f" height="%d" fill="%s"/>`+"\n", labelWidth, y, ratio*unit, barHeight, colour)
		fmt.Fprintf(&bars, `<text x="%.0f" y="%d">%.2f</text>`+"\n", labelWidth+max(ratio, 1)*unit+8, y+14, ratio)
		fmt.Fprintf(&bars, `<path d="M%.1f %dv%d" stroke="#111" stroke-width="2"/>`+"\n", labelWidth+g.least*unit, y-3, barHeight+6)
		y += barStep
	}
	width := labelWidth + longest*unit + 60
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" font-family="sans-serif" font-size="13">`+"\n", width, y+10)
	b.WriteString("<title>Ratios to the Linux bridge</title>\n")
	fmt.Fprintf(&b, `<rect width="%.0f" height="%d" fill="#fff"/>`+"\n", width, y+10)
	fmt.Fprintf(&b, `<text x="%d" y="20" text-anchor="middle">Linux bridge = 1</text>`+"\n", labelWidth+unit)
	fmt.Fprintf(&b, `<path d="M%d 28V%d" stroke="#888" stroke-dasharray="4 3"/>`+"\n", labelWidth+unit, y)
	b.Write(bars.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}
