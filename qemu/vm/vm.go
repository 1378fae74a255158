// Package vm boots the appliance's image in QEMU: two wire ports on the lab's
// sockets, a management port, a data disk and a serial console.
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"syscall"
	"time"

	"wirepatch/qemu/process"
)

// installed is the QEMU that make setup installs.
const installed = "qemu-system-x86_64"

const (
	bootTime     = 300 * time.Second // for one boot, on a slow and busy computer
	silence      = 100 * time.Second // a boot that says nothing for so long hangs
	powerOffTime = 3 * time.Minute   // an idle one takes a second or two
)

// Inspecting is what the console says once the definitions are in force; frames
// cross the appliance since before that.
var Inspecting = regexp.MustCompile(`inspecting, [0-9.]+ s after power-on`)

// VM is one running appliance.
type VM struct {
	Serial *Serial
	Accel  string        // KVM or TCG
	Boot   time.Duration // from QEMU's start to Inspecting
	config Config
	qemu   *process.Process
}

// Start makes the data disk, starts QEMU and returns once the appliance
// forwards. A boot that hangs is tried once more. All that the serial console
// says goes to log, and say is told what is being done.
func Start(ctx context.Context, c Config, log io.Writer, say func(format string, a ...any)) (*VM, error) {
	if _, err := exec.LookPath(installed); err != nil {
		return nil, fmt.Errorf("%w (make setup installs it)", err)
	}
	if c.Disk != "" {
		return startDisk(c, log)
	}
	if err := c.makeDisk(ctx); err != nil {
		return nil, err
	}
	accel := Accelerator(ctx, c.Kernel)
	say("booting with %s", accel)
	v, err := start(ctx, c, accel, log)
	if errors.Is(err, errHangs) {
		say("%v; trying once more", err)
		v, err = start(ctx, c, accel, log)
	}
	return v, err
}

// startDisk starts QEMU from a disk and waits for nothing: what such a machine
// does from power-on on is what its tests look at. KVM is not tried, for there is
// no kernel to try it with.
func startDisk(c Config, log io.Writer) (*VM, error) {
	if err := c.makeVars(); err != nil {
		return nil, err
	}
	return launch(c, TCG, log)
}

// errHangs is a boot that does not end.
var errHangs = errors.New("the boot hangs")

func start(ctx context.Context, c Config, accel string, log io.Writer) (*VM, error) {
	began := time.Now()
	v, err := launch(c, accel, log)
	if err != nil {
		return nil, err
	}
	if err := v.booted(ctx); err != nil {
		v.Kill()
		return nil, v.explain(err)
	}
	v.Boot = time.Since(began)
	return v, nil
}

// launch starts QEMU.
func launch(c Config, accel string, log io.Writer) (*VM, error) {
	v := &VM{Serial: newSerial(log), Accel: accel, config: c}
	if err := v.Again(); err != nil {
		return nil, err
	}
	return v, nil
}

// Again switches a machine on that has ended, as one with Config.Ends does where
// others restart. Its console goes on.
func (v *VM) Again() error {
	args, err := v.config.args(v.Accel)
	if err != nil {
		return err
	}
	program := v.config.QEMU
	if program == nil {
		program = []string{installed}
	}
	cmd := exec.Command(program[0], append(program[1:len(program):len(program)], args...)...)
	keys, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	v.Serial.begin(keys)
	cmd.Stdout = v.Serial
	q, err := process.Start(cmd)
	if err != nil {
		return err
	}
	v.qemu = q
	go func() {
		<-q.Done()
		v.Serial.end()
	}()
	return nil
}

// booted waits until the appliance forwards.
func (v *VM) booted(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bootTime, fmt.Errorf("%w: no forwarding within %s", errHangs, bootTime))
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	go v.watchSilence(ctx, giveUp)
	_, _, err := v.Serial.WaitFrom(ctx, 0, Inspecting)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// StandStill takes the processors from the machine for so long, as a host does
// that has none to spare: the machine's clocks go on.
func (v *VM) StandStill(d time.Duration) error {
	if err := syscall.Kill(v.qemu.PID(), syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop QEMU: %w", err)
	}
	time.Sleep(d)
	if err := syscall.Kill(v.qemu.PID(), syscall.SIGCONT); err != nil {
		return fmt.Errorf("continue QEMU: %w", err)
	}
	return nil
}

// watchSilence gives up on a console that says nothing for too long.
func (v *VM) watchSilence(ctx context.Context, giveUp context.CancelCauseFunc) {
	position := int64(0)
	for {
		_, next, more, _ := v.Serial.after(position)
		position = next
		select {
		case <-more:
		case <-ctx.Done():
			return
		case <-time.After(silence):
			giveUp(fmt.Errorf("%w: the console has been silent for %s", errHangs, silence))
		}
	}
}

// explain adds to err what helps to understand it.
func (v *VM) explain(err error) error {
	if said := v.qemu.Output(); said != "" {
		err = fmt.Errorf("%w\nQEMU said: %s", err, said)
	}
	return fmt.Errorf("%w\nthe serial console's last lines:\n%s", err, v.Serial.Tail(25))
}

// Done is closed when the machine has ended.
func (v *VM) Done() <-chan struct{} { return v.qemu.Done() }

// PID is QEMU's process.
func (v *VM) PID() int { return v.qemu.PID() }

// Err says why the machine ended, once Done is closed.
func (v *VM) Err() error { return v.explain(v.qemu.Err()) }

// PowerOff presses the appliance's power button and waits until it is off. One
// that does not react loses its power.
func (v *VM) PowerOff() error {
	select {
	case <-v.Done():
		return fmt.Errorf("the appliance had ended before it was switched off: %w", v.Err())
	default:
	}
	err := v.QMP("system_powerdown", nil)
	if err == nil {
		select {
		case <-v.Done():
			return nil
		case <-time.After(powerOffTime):
			err = fmt.Errorf("the appliance did not switch itself off within %s of the power button", powerOffTime)
		}
	}
	v.Kill()
	return err
}

// Kill takes the machine's power away.
func (v *VM) Kill() { v.qemu.Stop() }
