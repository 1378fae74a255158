package web

// firstStep is one of those from an empty box to a protected server that is known.
type firstStep struct {
	Text, Path, Link string
	Done, Next       bool
}

// firstSteps leads a new owner through the pages; nil once all is done.
func (s *Site) firstSteps(services int) []firstStep {
	steps := []firstStep{
		{Text: "Name a server to protect, then apply what is pending.", Path: "/settings#add-service", Link: "Add a service", Done: services > 0},
		{Text: "Say what runs on it: take it in where it was found on the wire, or add its product and version.", Path: "/servers", Link: "Servers"},
		{Text: "Add advisories: then every server's vulnerabilities stand beside the inline patches that stand in.", Path: "/vulnerabilities#advisories-h", Link: "Vulnerabilities"},
	}
	v, err := s.Exposures.View()
	if err != nil {
		return nil // the pages that need it say what is wrong
	}
	for _, sv := range v.Servers {
		steps[1].Done = steps[1].Done || len(sv.Components) > 0
	}
	steps[2].Done = v.Advisories > 0
	if d, err := s.Changes.Draft(); err == nil && d != nil && services == 0 {
		steps[0] = firstStep{Text: "A change is pending: look at it, say why, and apply it.", Path: "/changes#draft", Link: "Apply it"}
	}
	for i := range steps {
		if !steps[i].Done {
			steps[i].Next = true
			return steps
		}
	}
	return nil
}
