package port

import (
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol/http"
)

// BenchmarkExchange measures, by the kernel's statistics, what the program takes
// for a request, its answer and the acknowledgement, by what it looks for.
func BenchmarkExchange(b *testing.B) {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	defer stats.Close()
	ours := loadDefinitions(b).Texts("http", patch.Look{Sight: http.SimpleHeads, Worth: Worth, WorthLength: WorthLength})
	v := Vetting{Requests: true, Responses: true}
	full := Vetting{Requests: true, Responses: true, Texts: ours.Of, Long: ours.Long}
	kept := full
	kept.Keep = ours.LooksBack
	few, many := Vetting{Requests: true, Responses: true}, Vetting{Requests: true, Responses: true}
	for i := range 10_000 {
		form := []string{"\nx-forwarded-%d:", "/shop%d/", "session-%d=", "\nx-debug-%d:"}[i%4]
		many.Texts[i%4/3] = append(many.Texts[i%4/3], fmt.Sprintf(form, i))
		if i < 10 {
			few.Texts = many.Texts
		}
	}
	j := newJudge(b)
	k := j.open(1)
	for _, c := range []struct {
		name string
		v    Vetting
	}{{"nothing", v}, {"10 texts", few}, {"10,000 texts", many}, {"the product's definitions", full}, {"the same, requests kept", kept}} {
		for _, name := range []string{"python", "chrome"} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				j.SetVetting(c.v)
				before, err := j.objs.Wire.Stats()
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					for _, said := range []struct {
						from Side
						text string
					}{{A, ordinary[name]}, {B, ordinaryAnswers[0]}, {A, ""}} {
						if k.say(said.from, said.text) != on {
							b.Fatalf("%q went up", said.text)
						}
					}
				}
				after, err := j.objs.Wire.Stats()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(after.Runtime-before.Runtime)/float64(after.RunCount-before.RunCount)*3, "ns/exchange")
			})
		}
	}
}
