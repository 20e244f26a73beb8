package docker

import (
	"fmt"
	"strings"
)

// around is how many unchanged lines are shown before and after a change.
const around = 3

// diff shows how a file changes, in the manner of diff -u.
func diff(path string, from, to content) string {
	var b strings.Builder
	for _, side := range []struct {
		sign string
		file content
	}{{"---", from}, {"+++", to}} {
		name := path
		if !side.file.exists {
			name = "/dev/null"
		}
		fmt.Fprintf(&b, "%s %s\n", side.sign, name)
	}
	lines := compare(split(from), split(to))
	for i, line := range lines {
		if near(lines, i) {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func split(c content) []string {
	if !c.exists || c.text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(c.text, "\n"), "\n")
}

// near reports whether a changed line is close to line i.
func near(lines []string, i int) bool {
	for _, line := range lines[max(0, i-around):min(len(lines), i+around+1)] {
		if line[0] != ' ' {
			return true
		}
	}
	return false
}

// compare returns all lines, each with a sign for where it is: '-' in a,
// '+' in b, ' ' in both.
func compare(a, b []string) []string {
	var head, tail []string
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, " "+a[0])
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append([]string{" " + a[len(a)-1]}, tail...)
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return append(append(head, middle(a, b)...), tail...)
}

// middle compares by a longest common subsequence: common[i][j] is its length
// for a[i:] and b[j:].
func middle(a, b []string) []string {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, " "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "-"+a[i])
			i++
		default:
			out = append(out, "+"+b[j])
			j++
		}
	}
	return out
}
