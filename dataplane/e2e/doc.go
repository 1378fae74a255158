// Package e2e holds the dataplane's end-to-end tests and nothing else: the real
// program between two network namespaces, with real kernels, curl and nginx on
// both sides. They need root and the Debian packages curl and nginx.
package e2e
