package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// lookAround is how long the machine is watched before the bench begins.
const lookAround = 500 * time.Millisecond

// otherWork says how busy the machine is with other work.
func otherWork() (string, error) {
	idle1, all1, err := processorTicks()
	if err != nil {
		return "", err
	}
	time.Sleep(lookAround)
	idle2, all2, err := processorTicks()
	if err != nil {
		return "", err
	}
	share := 100 - 100*(idle2-idle1)/max(all2-all1, 1)
	return fmt.Sprintf("Other work took %d %% of the processors when the bench began.", share), nil
}

// processorTicks is how long all processors were idle, and in all.
func processorTicks() (idle, all int, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var v [8]int
	n, err := fmt.Sscanf(line, "cpu %d %d %d %d %d %d %d %d", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7])
	if n != len(v) {
		return 0, 0, fmt.Errorf("/proc/stat: got %q: %w", line, err)
	}
	for _, t := range v {
		all += t
	}
	return v[3] + v[4], all, nil
}
