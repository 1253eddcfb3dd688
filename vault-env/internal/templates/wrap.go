package templates

import "strings"

// wrapText returns s with a line end at the last space before each width bytes. A longer word is cut if cuts is true, and
// stays in one piece otherwise.
func wrapText(width int, lineEnd string, cuts bool, s string) string {
	width = max(width, 1)
	if lineEnd == "" {
		lineEnd = "\n"
	}
	room(len(s), len(lineEnd))
	var b strings.Builder
	for len(s) > width {
		if s[0] == ' ' {
			s = s[1:]
			continue
		}
		end := strings.LastIndexByte(s[:width+1], ' ')
		next := end + 1
		if end < 0 && cuts {
			end, next = width, width
		} else if end < 0 {
			if end = strings.IndexByte(s[width:], ' '); end < 0 {
				break
			}
			end += width
			next = end + 1
		}
		b.WriteString(s[:end] + lineEnd)
		s = s[next:]
	}
	return b.String() + s
}

// abbreviateBoth returns width bytes of s around an offset, with "..." for what is left out at either side.
func abbreviateBoth(offset, width int, s string) string {
	if width < 4 || offset > 0 && width < 7 || len(s) <= width {
		return s
	}
	kept := width - len("...")
	offset = min(offset, len(s)-kept)
	switch {
	case offset <= 4:
		return s[:kept] + "..."
	case offset+kept < len(s):
		return "..." + abbreviate(kept, s[offset:])
	}
	return "..." + s[len(s)-kept:]
}
