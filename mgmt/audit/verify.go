package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"database/sql"
)

// longestRecord bounds one line of an exported log.
const longestRecord = 1 << 20

// Chain checks records one after another.
type Chain struct {
	Head
	want   Head // to be met on the way; Seq 0: none
	found  bool
	before beginning
}

// NewChain begins before the first record. known is a head that was written
// down earlier, as SEQ:HASH, or "": the log must contain it.
func NewChain(known string) (*Chain, error) {
	c := &Chain{Head: Head{Hash: genesis}}
	if known == "" {
		return c, nil
	}
	n, hash, ok := strings.Cut(known, ":")
	seq, err := strconv.ParseUint(n, 10, 64)
	if !ok || err != nil || seq == 0 || len(hash) != len(genesis) {
		return nil, fmt.Errorf("got head %q, want SEQ:HASH as the page, the console and each exported record show it", known)
	}
	c.want = Head{seq, strings.ToLower(hash)}
	return c, nil
}

// Add checks the next record.
func (c *Chain) Add(r Record) error {
	if c.Seq == 0 && r.Seq > 1 { // what was before it a later record must say
		c.before.first, c.Head = r, Head{r.Seq, r.Hash}
		return c.meet(r)
	}
	if r.Seq != c.Seq+1 {
		return fmt.Errorf("record %d follows record %d: something in between was taken out", r.Seq, c.Seq)
	}
	if want := link(c.Hash, []byte(r.Bytes)); r.Hash != want {
		return fmt.Errorf("record %d was changed: its hash is %s, and %s stands there", r.Seq, want, r.Hash)
	}
	c.Head = Head{r.Seq, r.Hash}
	if err := c.before.proved(r); err != nil {
		return err
	}
	return c.meet(r)
}

// meet compares a record with the head that was written down.
func (c *Chain) meet(r Record) error {
	if r.Seq == c.want.Seq {
		if r.Hash != c.want.Hash {
			return fmt.Errorf("record %d is not the one whose head was written down: the log was made anew", r.Seq)
		}
		c.found = true
	}
	return nil
}

// End says whether the chain has its beginning, and met the head that was written
// down.
func (c *Chain) End() error {
	if n := c.before.first.Seq; n > 0 && !c.before.found {
		return fmt.Errorf("the log begins at record %d, and no record of it says that those before were removed: its beginning was cut off", n)
	}
	if end := c.before.end; end.Seq > 0 && c.want.Seq > 0 && c.want.Seq <= end.Seq {
		if c.want == end {
			return nil
		}
		return fmt.Errorf("what is there is intact, but record %d, whose head was written down, was removed with all up to record %d: check an export that has it, which must end at %s", c.want.Seq, end.Seq, end)
	}
	if c.want.Seq > 0 && !c.found {
		return fmt.Errorf("the log ends at record %d, before record %d whose head was written down: its end was cut off", c.Seq, c.want.Seq)
	}
	return nil
}

// Verify checks a whole log in a file: the database as it lies on the data
// partition, or one record a line as the API gives it.
func Verify(path, known string) (Head, error) {
	c, err := NewChain(known)
	if err != nil {
		return Head{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Head{}, err
	}
	defer f.Close()
	magic := make([]byte, 16)
	n, err := io.ReadFull(f, magic)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return Head{}, err
	}
	if string(magic[:n]) == "SQLite format 3\x00" {
		err = c.database(path)
	} else {
		err = c.lines(io.MultiReader(bytes.NewReader(magic[:n]), f))
	}
	if err == nil {
		err = c.End()
	}
	return c.Head, err
}

func (c *Chain) lines(r io.Reader) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, longestRecord)
	for line := 1; s.Scan(); line++ {
		var rec Record
		if err := json.Unmarshal(s.Bytes(), &rec); err != nil {
			return fmt.Errorf("line %d is no record: %w", line, err)
		}
		if err := c.Add(rec); err != nil {
			return err
		}
	}
	return s.Err()
}

func (c *Chain) database(path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=query_only(1)")
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.Query("SELECT seq, bytes, hash FROM audit ORDER BY seq")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r Record
		var bytes []byte
		if err := rows.Scan(&r.Seq, &bytes, &r.Hash); err != nil {
			return err
		}
		r.Bytes = string(bytes)
		if err := c.Add(r); err != nil {
			return err
		}
	}
	return rows.Err()
}
