// Package soak puts the dataplane between real kernels on a network that loses,
// reorders, doubles, damages and delays, and compares every byte of thousands of
// sessions, on both sides, with what a model of the corrections says. The
// program itself is killed and held up under sessions, too. It has only tests,
// which need root.
//
//	go test ./dataplane/e2e/soak                       5,000 sessions (-short: 1,000)
//	go test ./dataplane/e2e/soak -sessions 100000      hours of it, if asked for
//	go test ./dataplane/e2e/soak -seed N -run TestBadNetwork/7   a failure again
package soak
