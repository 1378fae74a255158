package web

import (
	"fmt"
	"strings"

	"wirepatch/dataplane/control"
	"wirepatch/mgmt/visible"
	"wirepatch/mgmt/wire"
)

// alert is something that needs the administrator's attention.
type alert struct {
	Severe     bool
	Text, Todo string
}

func alerts(st wire.State, setErr error) []alert {
	a := engineAlerts(st.Dataplane)
	if s := st.Dataplane.Status; s != nil {
		a = append(a, linkAlerts(s.Ports)...)
		a = append(a, patchAlerts(s)...)
	}
	if setErr != nil {
		a = append(a, alert{true, "The settings cannot be read: " + visible.Line(setErr.Error()), "Correct appliance.ini on the data partition; until then the one of the image is used."})
	}
	return append(a, boxAlerts(st)...)
}

func engineAlerts(d wire.Dataplane) []alert {
	switch {
	case d.Answers:
		return nil
	case d.Since.IsZero():
		return []alert{{false, "The dataplane has not been asked yet.", "This page fills itself in a moment."}}
	case d.Seen.IsZero():
		return []alert{{true, "The dataplane has not answered since this page's program started: " + visible.Line(d.Error) + ".",
			"It is started again by itself; if this stays, look at its log on the serial console."}}
	}
	return []alert{{true,
		fmt.Sprintf("The dataplane has not answered since %s: %s.", at(d.Since).Text, visible.Line(d.Error)),
		"Unprotected traffic is still forwarded in the kernel; protected services follow their fail policy. It is started again by itself. " +
			"Figures on this page are those of its last answer, " + at(d.Seen).Text + "."}}
}

func linkAlerts(ports []control.Port) []alert {
	var a []alert
	for i, p := range ports {
		if !p.Up {
			a = append(a, alert{true, fmt.Sprintf("Port %s (%s) has no link.", portLetter(i), visible.Line(p.Name)),
				"Check the cable and the device at its other end."})
		}
	}
	return a
}

func patchAlerts(s *control.Status) []alert {
	var a []alert
	if s.Bypass {
		a = append(a, alert{true, "The wire is bypassed: everything passes uninspected.", "On the page Settings, under The box, have the wire inspect again; or 13 on the console."})
	} else if len(s.Services) == 0 {
		a = append(a, alert{false, "No service is protected: everything passes unchanged.",
			"Name one on the page Settings, Add service, or open a server that was found on the wire and press Protect."})
	}
	var aside []string
	for _, d := range s.Definitions {
		if d.Error != "" {
			aside = append(aside, visible.Line(d.ID))
		}
	}
	if len(aside) > 0 {
		a = append(a, alert{true, "Set aside, so not in force: " + strings.Join(aside, ", ") + ".",
			"The reason stands in the list of definitions below."})
	}
	return a
}

func boxAlerts(st wire.State) []alert {
	var a []alert
	if st.BoxError != "" {
		a = append(a, alert{false, "The state of the box cannot be read: " + visible.Line(st.BoxError), "It is written by init; look at the serial console."})
	}
	if st.Box == nil {
		return a
	}
	if !strings.HasPrefix(st.Box.Data, "ext4 ") {
		a = append(a, alert{false, "Settings, password and certificate do not outlast a power cycle: " + visible.Line(st.Box.Data),
			"Give the box a data partition: a disk with an ext4 file system labelled wirepatch-data."})
	}
	for _, p := range st.Box.Processes {
		if p.State == "stopped" {
			a = append(a, alert{true, "The program " + visible.Line(p.Name) + " is stopped (" + visible.Line(p.LastExit) + ").", "Look at its log on the serial console."})
		}
	}
	return a
}

// storeAlerts tells what is not kept as it should be.
func (s *Site) storeAlerts() []alert {
	var a []alert
	h := s.Events.Health()
	if h.Trouble != "" {
		a = append(a, alert{false, "Events are not kept as they should be: " + visible.Line(h.Trouble) + ".", "Make room on the data partition, or look at the disk. The wire and this page are not concerned."})
	}
	if h.Lost > 0 {
		a = append(a, alert{false, fmt.Sprintf("%s events could not be written since this page's program started.", count(h.Lost)), "What is still shown here of them is lost at the next restart."})
	}
	if t := s.Audit.Trouble(); t != "" {
		a = append(a, alert{true, "The audit log is not kept as it should be: " + visible.Line(t) + ".", "Make room on the data partition, or look at the disk."})
	}
	return a
}
