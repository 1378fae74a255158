package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"wirepatch/board/command"
	"wirepatch/board/keeper"
)

const settingsUsage = `usage: settings COMMAND
  show                the settings in force
  list                those before, with who changed them and when
  diff NUMBER         what has changed since the settings of that number
  back NUMBER         put them into force again
  put FILE            put the file's text into force
  export FILE         all that was set up, sealed; the passphrase comes on standard input
  import FILE         take an export, and restart
  reset yes           erase all that was set up, and restart`

// askSettings is the program settings: what the page offers, for a shell.
func askSettings(args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(settingsUsage)
	}
	switch args[0] {
	case "collect", "stage", takeSettings, takePage:
		return asChild(args)
	}
	c, ctx := keeper.Client{Path: keeper.Socket}, context.Background()
	switch what := args[0]; {
	case what == "show" && len(args) == 1:
		now, err := c.Current(ctx)
		fmt.Fprint(out, now.Text)
		return err
	case what == "list" && len(args) == 1:
		return listSettings(ctx, c, out)
	case what == "diff" && len(args) == 2:
		return diffSettings(ctx, c, args[1], out)
	case what == "back" && len(args) == 2:
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return errors.New(settingsUsage)
		}
		now, err := c.Back(ctx, n, "shell")
		return tellConfirm(out, now, err)
	case what == "put" && len(args) == 2:
		return putSettings(ctx, c, args[1], out)
	case what == "export" && len(args) == 2:
		return exportSettings(ctx, c, args[1], in)
	case what == "import" && len(args) == 2:
		return importSettings(ctx, c, args[1], in)
	case what == "reset" && len(args) == 2 && args[1] == "yes":
		return command.Client{Path: command.Socket}.FactoryReset(ctx, "shell")
	}
	return errors.New(settingsUsage)
}

// tellConfirm says when a change is one that must be confirmed.
func tellConfirm(out io.Writer, now keeper.State, err error) error {
	if err == nil && !now.Confirm.IsZero() {
		fmt.Fprintf(out, "taken back at %s unless confirmed on the page\n", now.Confirm.UTC().Format(time.TimeOnly))
	}
	return err
}

func putSettings(ctx context.Context, c keeper.Client, file string, out io.Writer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	now, err := c.Current(ctx)
	if err != nil {
		return err
	}
	now, err = c.Write(ctx, keeper.Change{Text: string(text), Base: now.Sum, Who: "shell", Reason: "put " + file})
	return tellConfirm(out, now, err)
}

func listSettings(ctx context.Context, c keeper.Client, out io.Writer) error {
	all, err := c.History(ctx)
	for _, r := range all {
		fmt.Fprintf(out, "%4d  until %s  ended by %s: %s\n", r.Number, r.Ended.UTC().Format(time.DateTime), r.Who, r.Reason)
	}
	return err
}

func diffSettings(ctx context.Context, c keeper.Client, number string, out io.Writer) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return errors.New(settingsUsage)
	}
	r, err := c.Revision(ctx, n)
	if err != nil {
		return err
	}
	now, err := c.Current(ctx)
	if err != nil {
		return err
	}
	for _, l := range keeper.Diff(r.Text, now.Text) {
		fmt.Fprintf(out, "%s %s\n", l.Sign, l.Text)
	}
	return nil
}

// readPassphrase reads a line.
func readPassphrase(in io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(in, keeper.MaxPassphrase+1))
	line, _, _ := strings.Cut(string(b), "\n")
	return line, err
}

func exportSettings(ctx context.Context, c keeper.Client, file string, in io.Reader) error {
	passphrase, err := readPassphrase(in)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(c.Export(ctx, passphrase, f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

func importSettings(ctx context.Context, c keeper.Client, file string, in io.Reader) error {
	passphrase, err := readPassphrase(in)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return c.Import(ctx, "shell", passphrase, f, st.Size())
}
