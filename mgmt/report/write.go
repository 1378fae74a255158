package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
)

// CSV writes all sections one below the other, each row with its section's title
// first, so that a program can tell them apart.
func (r *Report) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"report", r.Title, r.Host, r.Period(), "made " + r.Made.Format(time.RFC3339), "audit head " + r.Head}) // Error tells
	for _, s := range r.Sections {
		_ = c.Write(append([]string{"section"}, s.Columns...))
		for _, row := range s.Rows {
			line := []string{s.Title}
			for _, cell := range row {
				line = append(line, harmless(cell))
			}
			_ = c.Write(line)
		}
	}
	c.Flush()
	return c.Error()
}

// harmless keeps a spreadsheet from taking text for a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// Sizes of a page, in millimetres.
const (
	pageWidth, margin   = 297.0, 12.0
	lineHeight, padding = 3.6, 1.0
	bottom              = 196.0
	maxRows             = 5000 // of a section; the CSV has all
	maxCell             = 1200 // bytes
	maxLines            = 37   // of a cell: it fits below a heading
)

// sheet is a PDF that is being written.
type sheet struct {
	*fpdf.Fpdf
	text func(string) string // as the fonts have it
}

// PDF writes the report for paper. What its fonts lack is written as a question mark.
func (r *Report) PDF() ([]byte, error) {
	p := sheet{Fpdf: fpdf.New("L", "mm", "A4", "")}
	p.text = p.UnicodeTranslatorFromDescriptor("")
	p.SetCreationDate(r.Made)
	p.SetModificationDate(r.Made)
	p.SetTitle("Wirepatch: "+r.Title, true)
	p.SetLang("en")
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(false, margin)
	p.SetFooterFunc(func() {
		p.SetXY(margin, 203)
		p.SetFont("Helvetica", "", 7)
		p.CellFormat(0, 4, p.text(fmt.Sprintf("%s, %s, page %d. Head of the audit log %s", r.Title, r.Host, p.PageNo(), r.Head)), "", 0, "L", false, 0, "")
	})
	p.AddPage()
	p.SetFont("Helvetica", "B", 16)
	p.CellFormat(0, 8, p.text(r.Title), "", 1, "L", false, 0, "")
	p.SetFont("Helvetica", "", 9)
	p.MultiCell(0, 4.5, p.text(r.about()), "", "L", false)
	for _, s := range r.Sections {
		p.section(s)
	}
	var b bytes.Buffer
	if err := p.Output(&b); err != nil {
		return nil, fmt.Errorf("write PDF: %w", err)
	}
	return b.Bytes(), nil
}

// about is what a report says of itself.
func (r *Report) about() string {
	text := fmt.Sprintf("Wirepatch %s, firmware %s. %s. Made %s.", r.Host, r.Firmware, r.Period(), r.Made.Format("2006-01-02 15:04:05 UTC"))
	for _, v := range [][2]string{{"Vulnerability", r.CVE}, {"Product", r.Product}, {"Group", r.Group}} {
		if v[1] != "" {
			text += " " + v[0] + " " + v[1] + "."
		}
	}
	return text
}

func (p sheet) section(s Section) {
	if p.GetY() > bottom-30 {
		p.AddPage()
	}
	p.Ln(3)
	p.SetFont("Helvetica", "B", 11)
	p.CellFormat(0, 6, p.text(s.Title), "", 1, "L", false, 0, "")
	p.SetFont("Helvetica", "", 8)
	if s.Text != "" {
		p.MultiCell(0, 4, p.text(s.Text), "", "L", false)
	}
	if len(s.Rows) == 0 {
		p.CellFormat(0, 5, "None.", "", 1, "L", false, 0, "")
		return
	}
	widths := columnWidths(s)
	p.head(s.Columns, widths)
	for i, row := range s.Rows {
		if i == maxRows {
			p.CellFormat(0, 5, p.text(fmt.Sprintf("%d more rows are in the CSV.", len(s.Rows)-i)), "", 1, "L", false, 0, "")
			return
		}
		p.row(row, widths, func() { p.head(s.Columns, widths) })
	}
}

func (p sheet) head(columns []string, widths []float64) {
	p.SetFont("Helvetica", "B", 7)
	p.SetFillColor(230, 236, 242)
	p.cells(columns, widths, true)
	p.SetFont("Helvetica", "", 7)
}

// row writes a row, on a new page where it does not fit.
func (p sheet) row(row []string, widths []float64, again func()) {
	height := 0.0
	for i, cell := range row {
		height = max(height, float64(len(p.lines(cell, widths[i])))*lineHeight+2*padding)
	}
	if p.GetY()+min(height, bottom-40) > bottom {
		p.AddPage()
		again()
	}
	p.cells(row, widths, false)
}

// lines breaks a cell's text; what would not fit on a page is cut.
func (p sheet) lines(cell string, width float64) [][]byte {
	if len(cell) > maxCell {
		cell = strings.ToValidUTF8(cell[:maxCell], "") + " …"
	}
	all := p.SplitLines([]byte(p.text(cell)), width-2*padding)
	return all[:min(len(all), maxLines)]
}

func (p sheet) cells(row []string, widths []float64, fill bool) {
	x, y := p.GetX(), p.GetY()
	height := lineHeight + 2*padding
	texts := make([][][]byte, len(row))
	for i, cell := range row {
		texts[i] = p.lines(cell, widths[i])
		height = max(height, float64(len(texts[i]))*lineHeight+2*padding)
	}
	for i, text := range texts {
		style := "D"
		if fill {
			style = "FD"
		}
		p.SetDrawColor(190, 200, 210)
		p.Rect(x, y, widths[i], height, style)
		for j, l := range text {
			p.SetXY(x+padding, y+padding+float64(j)*lineHeight)
			p.CellFormat(widths[i]-2*padding, lineHeight, string(l), "", 0, "L", false, 0, "")
		}
		x += widths[i]
	}
	p.SetXY(margin, y+height)
}

// columnWidths shares a line among columns by how much they have to say.
func columnWidths(s Section) []float64 {
	weight := make([]float64, len(s.Columns))
	sum := 0.0
	for i, c := range s.Columns {
		longest := len(c)
		for _, row := range s.Rows[:min(len(s.Rows), 200)] {
			if i < len(row) {
				longest = max(longest, len(row[i]))
			}
		}
		weight[i] = float64(min(max(longest, 7), 60))
		sum += weight[i]
	}
	for i := range weight {
		weight[i] *= (pageWidth - 2*margin) / sum
	}
	return weight
}
