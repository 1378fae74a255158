package control

import "testing"

func TestParameter(t *testing.T) {
	for _, tt := range []struct {
		kind string
		good []string
		bad  []string
	}{
		{"number", []string{"0", "-7", "1073741824"}, []string{"", "many", "1.5", " 1"}},
		{"truth", []string{"yes", "no", "true", "false"}, []string{"", "maybe", "YES"}},
		{"list", []string{"", "a", "a, b"}, nil},
		{"text", []string{"", "anything"}, nil},
	} {
		p := Parameter{Name: "x", Type: tt.kind}
		for _, v := range tt.good {
			if err := p.Check(v); err != nil {
				t.Errorf("a %s does not take %q: %v", tt.kind, v, err)
			}
		}
		for _, v := range tt.bad {
			if p.Check(v) == nil {
				t.Errorf("a %s takes %q", tt.kind, v)
			}
		}
	}
	p := Parameter{Values: map[string]string{"": "all", "web": ""}}
	if p.In("web") != "" || p.In("mail") != "all" {
		t.Errorf("in web %q, in mail %q; want its own, and that of all", p.In("web"), p.In("mail"))
	}
	for _, tt := range []struct {
		kind, a, b string
		want       bool
	}{
		{"truth", "true", "yes", true}, {"truth", "false", "yes", false}, {"number", "+7", "7", true}, {"number", "7", "8", false},
		{"list", "a,b ,", "a, b", true}, {"list", "a", "b", false}, {"list", "", "", true}, {"text", "a, b", "a,b", false},
	} {
		if got := (Parameter{Type: tt.kind}).Same(tt.a, tt.b); got != tt.want {
			t.Errorf("a %s: Same(%q, %q) = %v; want %v", tt.kind, tt.a, tt.b, got, tt.want)
		}
	}
}
