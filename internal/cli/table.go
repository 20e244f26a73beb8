package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// columnGap is the usual space between columns.
const columnGap = 2

// cell is a text in a table. A text from outside makes neither lines nor cells.
type cell struct {
	text  string
	style style
}

// table prints cells in columns.
type table struct {
	w    io.Writer
	gap  int
	rows [][]cell
}

func newTable(w io.Writer, gap int) *table { return &table{w: w, gap: gap} }

// header adds the names of the columns.
func (t *table) header(names ...string) { t.add(bold, names...) }

// row adds cells without a style.
func (t *table) row(texts ...string) { t.add(plain, texts...) }

func (t *table) add(s style, texts ...string) {
	cells := make([]cell, len(texts))
	for i, text := range texts {
		cells[i] = cell{text, s}
	}
	t.cells(cells...)
}

// cells adds a row.
func (t *table) cells(cells ...cell) {
	for i := range cells {
		cells[i].text = oneLine(cells[i].text)
	}
	t.rows = append(t.rows, cells)
}

// flush writes the table. The last column is as wide as its texts.
func (t *table) flush() error {
	widths := t.widths()
	for _, row := range t.rows {
		for i, c := range row {
			paint(t.w, c.style, c.text)
			end := "\n"
			if i < len(row)-1 {
				end = strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+t.gap)
			}
			if _, err := io.WriteString(t.w, end); err != nil {
				return err
			}
		}
	}
	return nil
}

// widths returns the widths of the columns in characters.
func (t *table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	return widths
}
