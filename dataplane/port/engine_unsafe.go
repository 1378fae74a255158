package port

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// engineState is the memory of map wp_engine (struct engine_state in
// bpf/maps.h), shared with the program.
type engineState struct {
	mem   []byte
	v     *engineWords
	ticks []byte // the memory of map wp_ticks; nil: no clocks run
}

type engineWords struct {
	heartbeat                    uint64
	txPackets, txBytes, txFailed [2]uint64
	handed, drained              uint64
	cpu, tick                    uint64
}

func mapEngineState(fd int) (*engineState, error) {
	mem, err := unix.Mmap(fd, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &engineState{mem: mem, v: (*engineWords)(unsafe.Pointer(&mem[0]))}, nil
}

// mapTicks has each heartbeat note the clock of the processor at hand.
func (e *engineState) mapTicks(fd int, cpus uint32) (err error) {
	page := unix.Getpagesize()
	e.ticks, err = unix.Mmap(fd, 0, (int(cpus)*8+page-1)/page*page, unix.PROT_READ, unix.MAP_SHARED)
	return err
}

func (e *engineState) close() error {
	err := unix.Munmap(e.mem)
	if e.ticks != nil {
		err = errors.Join(err, unix.Munmap(e.ticks))
	}
	return err
}

// tick notes the clock of the processor at hand, if it has one.
func (e *engineState) tick() {
	var cpu uint32
	if e.ticks == nil {
		return
	}
	_, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
	at := int(cpu) * 8
	if errno != 0 || at+8 > len(e.ticks) {
		atomic.StoreUint64(&e.v.cpu, 0)
		return
	}
	atomic.StoreUint64(&e.v.tick, atomic.LoadUint64((*uint64)(unsafe.Pointer(&e.ticks[at]))))
	atomic.StoreUint64(&e.v.cpu, uint64(cpu)+1)
}

// beat says that the engine lives.
func (e *engineState) beat() {
	e.tick()
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) == nil {
		atomic.StoreUint64(&e.v.heartbeat, uint64(ts.Nano()))
	}
}

// now is the time as the program notes it of sessions.
func (e *engineState) now() uint64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts) != nil {
		return 0
	}
	return uint64(ts.Nano())
}

// stop says that the engine is gone.
func (e *engineState) stop() { atomic.StoreUint64(&e.v.heartbeat, 0) }

func (e *engineState) countSent(s Side, packets, bytes int) {
	atomic.AddUint64(&e.v.txPackets[s], uint64(packets))
	atomic.AddUint64(&e.v.txBytes[s], uint64(bytes))
}

func (e *engineState) countFailed(s Side, packets int) {
	atomic.AddUint64(&e.v.txFailed[s], uint64(packets))
}

func (e *engineState) sent(s Side) (packets, bytes, failed uint64) {
	return atomic.LoadUint64(&e.v.txPackets[s]), atomic.LoadUint64(&e.v.txBytes[s]), atomic.LoadUint64(&e.v.txFailed[s])
}

func (e *engineState) handed() uint64 { return atomic.LoadUint64(&e.v.handed) }

func (e *engineState) drained(n uint64) { atomic.StoreUint64(&e.v.drained, n) }
