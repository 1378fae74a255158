package port

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// StarvedAfter is how old the heartbeat may be where the engine's processor has
// not run since (STARVED_NS in bpf/wire.c).
const StarvedAfter = 2 * time.Second

// startClocks has each processor's timer count in wp_ticks (bpf/tick.c). The
// clocks outlive the process, by the pin of their map: it is when that is gone
// that they are asked.
func (p *Port) startClocks() error {
	spec, err := loadTick()
	if err != nil {
		return err
	}
	var o tickObjects
	err = spec.LoadAndAssign(&o, &ebpf.CollectionOptions{
		Maps:            ebpf.MapOptions{PinPath: p.pinDir},
		MapReplacements: map[string]*ebpf.Map{tickMapWpTicks: p.objs.WpTicks},
	})
	if err != nil {
		return fmt.Errorf("load clock: %w", kernelError(err))
	}
	defer o.Close()
	n, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread keeps to a processor, and ends with the goroutine
		done <- startOn(o.StartClock, min(n, int(o.WpClocks.MaxEntries())))
	}()
	if err := <-done; err != nil {
		return err
	}
	return p.engine.mapTicks(p.objs.WpTicks.FD(), p.objs.WpTicks.MaxEntries())
}

// startOn runs program on each of n processors that its thread may run on. One
// that is offline gets no clock: nothing runs on it.
func startOn(program *ebpf.Program, n int) error {
	const frame = 64 // bytes of which the program sees nothing
	for cpu := range n {
		var only unix.CPUSet
		only.Set(cpu)
		err := unix.SchedSetaffinity(0, &only)
		if errors.Is(err, unix.EINVAL) {
			continue
		}
		var failed uint32
		if err == nil {
			failed, err = program.Run(&ebpf.RunOptions{Data: make([]byte, frame)})
		}
		if err == nil && failed != 0 {
			err = unix.Errno(failed)
		}
		if err != nil {
			return fmt.Errorf("start clock of processor %d: %w", cpu, err)
		}
	}
	return nil
}
