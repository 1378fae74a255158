// Package supervise starts the appliance's programs, each in a process of its
// own, starts them again when they end, with growing pauses, and reaps every
// child that a first process inherits.
package supervise

import (
	"os/exec"
	"sync"
	"syscall"
)

// Reaper collects ended children. Only one may exist in a process, and nothing
// else in it may wait for children (exec.Cmd.Wait): it would race.
type Reaper struct {
	mu      sync.Mutex
	waiting map[int]chan syscall.WaitStatus
}

// Start starts a command. The channel gives its status once, when it has ended.
func (r *Reaper) Start(c *exec.Cmd) (pid int, ended <-chan syscall.WaitStatus, err error) {
	// Locked, so that a child that ends at once is not taken for a stranger's.
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := c.Start(); err != nil {
		return 0, nil, err
	}
	pid = c.Process.Pid
	c.Process.Release()
	ch := make(chan syscall.WaitStatus, 1)
	if r.waiting == nil {
		r.waiting = map[int]chan syscall.WaitStatus{}
	}
	r.waiting[pid] = ch
	return pid, ch, nil
}

// Reap collects all children that have ended so far. Call it at each SIGCHLD.
func (r *Reaper) Reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var s syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &s, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if ch, ok := r.waiting[pid]; ok {
			ch <- s
			delete(r.waiting, pid)
		}
	}
}
