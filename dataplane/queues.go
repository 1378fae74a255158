package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// queuesEvery is how often the ports' queues are counted: an ioctl for each.
const queuesEvery = time.Second

// requeue looks after receive queues that a port gets while the dataplane runs.
// Until they are served, what comes in on them follows the services' policies.
func (a *agent) requeue(ctx context.Context) {
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(queuesEvery):
		}
		n, missing, err := a.loop.port.Queues()
		if err == nil && missing {
			err = a.serveQueues(ctx, n)
		}
		if err == nil || ctx.Err() != nil {
			told = ""
			continue
		}
		if text := err.Error(); text != told {
			told = text
			slog.Error("some queues are not inspected", "error", err)
			a.loop.report("wire", "what comes in on some receive queues is not inspected, but follows the services' fail policies: "+text)
		}
	}
}

func (a *agent) serveQueues(ctx context.Context, n [2]int) error {
	var failed error
	err := a.loop.do(ctx, func() { failed = a.loop.serveQueues(n) })
	if err != nil {
		return err
	}
	return failed
}

// serveQueues has further queues served. What came in on them before went past the
// engine, which therefore starts over, as after a stop.
func (l *loop) serveQueues(n [2]int) error {
	if err := l.port.Requeue(n); err != nil {
		return err
	}
	past, err := l.countBypassed()
	if err != nil {
		return err
	}
	l.report("wire", fmt.Sprintf("the wire ports have %d and %d receive queues now: all are inspected; %d packets of protected services went past meanwhile", n[0], n[1], past))
	if past == 0 {
		return nil
	}
	return l.startOver()
}
