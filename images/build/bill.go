package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"wirepatch/firmware/release"
	"wirepatch/images/spdx"
)

// bill writes the bill of materials in the form that others read.
func (i *image) bill(ctx context.Context) (string, error) {
	info, err := buildinfo.ReadFile(i.binary())
	if err != nil {
		return "", err
	}
	cache, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE").Output()
	if err != nil {
		return "", fmt.Errorf("find Go's module cache: %w", err)
	}
	scripts, err := spdx.Scripts(filepath.Join(i.root, "mgmt", "web", "libraries.json"))
	if err != nil {
		return "", err
	}
	license, unknown := spdx.FromCache(strings.TrimSpace(string(cache))), []string(nil)
	text, err := spdx.JSON(spdx.Source{Name: "wirepatch-" + i.board.Name, Version: release.Version, SHA256: sum(i.firmware), Build: info,
		Packages: i.packages, Scripts: scripts, License: func(module, version string) string {
			l := license(module, version)
			if l == "" {
				unknown = append(unknown, module)
			}
			return l
		}})
	if err != nil {
		return "", err
	}
	if len(unknown) > 0 {
		return "", fmt.Errorf("the licences of %s are not known to images/spdx; look at them and add their words there, or do without", strings.Join(unknown, ", "))
	}
	return fmt.Sprintf("%d Go modules, %d Debian packages, %d scripts", len(info.Deps), len(i.packages), len(scripts)),
		writeChanged(filepath.Join(i.out, "wirepatch.spdx.json"), text)
}
