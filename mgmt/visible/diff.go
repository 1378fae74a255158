package visible

// maxCells bounds the work of one comparison. Longer differences are marked as
// a whole.
const maxCells = 128 * 128

// changes marks the bytes of a and of b that the other side does not have. It
// compares byte by byte what lies between the common beginning and the common
// end, while that is short and much of it is the same; otherwise marks here and
// there would only confuse.
func changes(a, b []byte) (inA, inB []bool, head int) {
	head = commonPrefix(a, b)
	tail := commonSuffix(a[head:], b[head:])
	midA, midB := a[head:len(a)-tail], b[head:len(b)-tail]
	inA, inB = make([]bool, len(a)), make([]bool, len(b))
	fill(inA[head : len(a)-tail])
	fill(inB[head : len(b)-tail])
	if len(midA)*len(midB) <= maxCells {
		unmarkCommon(midA, midB, inA[head:], inB[head:])
	}
	return inA, inB, head
}

func fill(m []bool) {
	for i := range m {
		m[i] = true
	}
}

// unmarkCommon clears the marks of a longest common subsequence, if it is at
// least half of the longer side.
func unmarkCommon(a, b []byte, inA, inB []bool) {
	t := commonTable(a, b)
	if 2*int(t[0][0]) < max(len(a), len(b)) {
		return
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j] && t[i][j] == t[i+1][j+1]+1:
			inA[i], inB[j] = false, false
			i, j = i+1, j+1
		case t[i+1][j] >= t[i][j+1]:
			i++
		default:
			j++
		}
	}
}

// commonTable holds at [i][j] the length of the longest common subsequence of
// a[i:] and b[j:].
func commonTable(a, b []byte) [][]uint16 {
	t := make([][]uint16, len(a)+1)
	for i := range t {
		t[i] = make([]uint16, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				t[i][j] = t[i+1][j+1] + 1
			} else {
				t[i][j] = max(t[i+1][j], t[i][j+1])
			}
		}
	}
	return t
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
