// Package e2e holds the end-to-end tests: the appliance's image, booted in
// QEMU, with real clients and servers around it. They need the image with a
// shell on its console, which make test-image builds.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wirepatch/qemu/bed"
)

// appliance is the test bed that most tests share.
var appliance *bed.Bed

func TestMain(m *testing.M) {
	code := 1
	b, err := start(context.Background(), "")
	if err == nil {
		appliance = b
		if code = m.Run(); code != 0 {
			fmt.Fprintf(os.Stderr, "the serial console's last lines:\n%s\n", b.VM.Serial.Tail(60))
		}
		err = b.PowerOff()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// start starts a test bed on free ports; pcap is a folder for captures or "".
func start(ctx context.Context, pcap string) (*bed.Bed, error) {
	return startWith(ctx, pcap, bed.Settings)
}

func startWith(ctx context.Context, pcap, settings string) (*bed.Bed, error) {
	return startAs(ctx, bed.Config{Pcap: pcap, Settings: settings})
}

// startAs starts a test bed of these settings on free ports.
func startAs(ctx context.Context, c bed.Config) (*bed.Bed, error) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	root := filepath.Join("..", "..")
	image := filepath.Join(root, "out", "test")
	if _, err := os.Stat(image); err != nil {
		return nil, fmt.Errorf("%w\nbuild it with: make test-image", err)
	}
	image, err := filepath.Abs(image)
	if err != nil {
		return nil, err
	}
	c.Root, c.Out = root, image
	c.Straight, c.Through, c.Management = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.Say = func(phase, format string, a ...any) {
		fmt.Printf("%s: %s\n", phase, fmt.Sprintf(format, a...))
	}
	return bed.Start(ctx, c)
}
