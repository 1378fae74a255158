package vm

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"sync"
	"time"

	"wirepatch/qemu/process"
)

// The accelerators.
const (
	KVM = "kvm"
	TCG = "tcg"
)

// trialTime bounds the trial boot; with KVM it takes about a second.
const trialTime = 10 * time.Second

var (
	trialMu sync.Mutex
	trial   = map[string]string{}
)

// Accelerator returns KVM when it really boots the kernel on this computer,
// otherwise TCG. That /dev/kvm can be opened proves nothing: inside many
// virtual machines it is there and does not run a kernel. The answer is kept.
func Accelerator(ctx context.Context, kernel string) string {
	trialMu.Lock()
	defer trialMu.Unlock()
	if _, known := trial[kernel]; !known {
		trial[kernel] = TCG
		if bootsWithKVM(ctx, kernel) {
			trial[kernel] = KVM
		}
	}
	return trial[kernel]
}

// bootsWithKVM boots the kernel without an initramfs: it must get as far as
// finding no root file system, and end there.
func bootsWithKVM(ctx context.Context, kernel string) bool {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	args := append(machine(KVM), "-no-reboot", "-m", "256", "-kernel", kernel, "-append", "console=ttyS0 panic=-1",
		"-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial")
	p, err := process.Start(exec.Command(installed, args...))
	if err != nil {
		return false
	}
	defer p.Stop()
	select {
	case <-p.Done():
		return bytes.Contains([]byte(p.Output()), []byte("Unable to mount root"))
	case <-time.After(trialTime):
	case <-ctx.Done():
	}
	return false
}
