package main

import (
	"context"
	"fmt"

	"github.com/safchain/ethtool"

	"wirepatch/board/command"
)

// blink has the light of a port blink, and returns when it has.
func blink(_ context.Context, port string) error {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return fmt.Errorf("blink: %w", err)
	}
	defer e.Close()
	d := command.BlinkTime
	if err := e.Identity(port, &d); err != nil {
		return fmt.Errorf("blink %s: %w; is it a port, and does its driver have lights?", port, err)
	}
	return nil
}
