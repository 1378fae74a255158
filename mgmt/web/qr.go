package web

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// square is a QR code: a path of its dark modules, within a quiet margin.
type square struct {
	Path string
	Side int // with the margin
}

// margin is what readers want to be empty around a code, in modules.
const margin = 4

// squareOf draws a text that authenticator programs read with a camera; nil where
// it is too long.
func squareOf(text string) *square {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil
	}
	var path strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			begin := x
			for x < c.Size && c.Black(x, y) {
				x++
			}
			if x > begin {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", begin+margin, y+margin, x-begin, x-begin)
			}
		}
	}
	return &square{path.String(), c.Size + 2*margin}
}
