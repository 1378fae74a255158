package sealed

import (
	"bytes"
	"errors"
	"testing"
)

const passphrase = "correct horse"

func TestSeal(t *testing.T) {
	plain := []byte("a key and a password hash")
	file, err := Seal(passphrase, plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file, []byte("password")) {
		t.Error("the file shows what is in it")
	}
	again, _ := Seal(passphrase, plain)
	if bytes.Equal(file, again) {
		t.Error("the same sealed twice gives the same bytes; want another salt and nonce")
	}
	if got, err := Open(passphrase, file); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("Open = %q, %v; want %q", got, err, plain)
	}
	changed := func(at int) []byte {
		b := bytes.Clone(file)
		b[(at+len(b))%len(b)] ^= 1
		return b
	}
	for name, tt := range map[string]struct {
		passphrase string
		file       []byte
		want       error
	}{
		"a wrong passphrase":   {"correct horses", file, ErrPassphrase},
		"no passphrase":        {"", file, ErrPassphrase},
		"a changed end":        {passphrase, changed(-1), ErrChanged},
		"a changed beginning":  {passphrase, changed(headSize), ErrChanged},
		"a changed nonce":      {passphrase, changed(headSize - 1), ErrChanged},
		"a changed salt":       {passphrase, changed(len(magic)), ErrPassphrase},
		"another file":         {passphrase, []byte("[appliance]\n"), ErrForm},
		"a later form":         {passphrase, changed(len(magic) - 1), ErrVersion},
		"an empty file":        {passphrase, nil, ErrForm},
		"a file cut short":     {passphrase, file[:len(file)-1], ErrChanged},
		"one cut in its head":  {passphrase, file[:headSize], ErrForm},
		"one with more behind": {passphrase, append(bytes.Clone(file), 0), ErrChanged},
	} {
		if got, err := Open(tt.passphrase, tt.file); !errors.Is(err, tt.want) || got != nil {
			t.Errorf("Open with %s = %q, %v; want %v", name, got, err, tt.want)
		}
	}
	if _, err := Seal("too short", plain); !errors.Is(err, ErrShort) {
		t.Errorf("Seal with a short passphrase = %v; want %v", err, ErrShort)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(magic))
	f.Add(append([]byte(magic), make([]byte, headSize)...))
	f.Fuzz(func(t *testing.T, file []byte) {
		if plain, err := Open(passphrase, file); err == nil {
			t.Errorf("Open of what nobody sealed = %q", plain)
		}
	})
}
