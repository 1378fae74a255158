package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"wirepatch/firmware/update"
)

var errUsage = errors.New("usage: updated status | check | install | upload FILE")

// ask asks the running program something and prints the answer.
func ask(ctx context.Context, socket string, args []string, out io.Writer) error {
	s, err := answerOf(ctx, update.Program{Socket: socket}, args)
	var r *update.Refusal
	if errors.As(err, &r) {
		return fmt.Errorf("refused (%s): %s", r.Code, r.Text)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s)
}

func answerOf(ctx context.Context, p update.Program, args []string) (*update.Status, error) {
	switch {
	case args[0] == "status" && len(args) == 1:
		return p.Status(ctx)
	case args[0] == "check" && len(args) == 1:
		return p.Check(ctx)
	case args[0] == "install" && len(args) == 1:
		return p.Install(ctx)
	case args[0] == "upload" && len(args) == 2:
		f, err := os.Open(args[1])
		if err != nil {
			return nil, err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return nil, err
		}
		return p.Upload(ctx, f, st.Size(), true)
	}
	return nil, errUsage
}
