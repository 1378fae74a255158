package main

import (
	"context"
	"time"

	"wirepatch/dataplane/control"
)

// patience is how long a console waits for the dataplane's answer.
const patience = 2 * time.Second

var dataplaneClient = control.Dial(control.Socket)

func wireStatus(ctx context.Context) (*control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := dataplaneClient.Status(ctx)
	return &s, err
}

// wireAlive asks a dataplane that may still be testing its definitions.
func wireAlive(ctx context.Context) (control.Alive, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return dataplaneClient.Alive(ctx)
}

// attached says whether both wire ports carry the program.
func attached(s *control.Status) bool {
	return len(s.Ports) == 2 && s.Ports[0].Attach != "" && s.Ports[1].Attach != ""
}
