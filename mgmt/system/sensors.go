package system

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Sensor is one temperature of the box.
type Sensor struct {
	Name     string  `json:"name"` // chip and what it measures
	Celsius  float64 `json:"celsius"`
	Critical float64 `json:"critical"` // from where on the hardware protects itself; 0: not told
}

// Sensors reads the temperatures that the kernel's drivers tell, of hwmon and,
// where there are none, of the thermal zones.
func Sensors() []Sensor { return sensors("/sys/class") }

func sensors(class string) []Sensor {
	all := []Sensor{}
	inputs, _ := filepath.Glob(filepath.Join(class, "hwmon", "hwmon*", "temp*_input"))
	slices.Sort(inputs)
	for _, in := range inputs {
		base := strings.TrimSuffix(in, "_input")
		s := Sensor{Name: word(filepath.Join(filepath.Dir(in), "name")), Critical: celsius(base + "_crit")}
		if label := word(base + "_label"); label != "" {
			s.Name += " " + label
		} else {
			s.Name += " " + filepath.Base(base)
		}
		if s.Celsius = celsius(in); s.Celsius != 0 {
			all = append(all, s)
		}
	}
	if len(all) > 0 {
		return all
	}
	zones, _ := filepath.Glob(filepath.Join(class, "thermal", "thermal_zone*"))
	for _, z := range zones {
		if c := celsius(filepath.Join(z, "temp")); c != 0 {
			all = append(all, Sensor{Name: word(filepath.Join(z, "type")), Celsius: c})
		}
	}
	return all
}

func word(path string) string {
	b, _ := os.ReadFile(path)
	return text(string(b[:min(len(b), 40)]))
}

// celsius reads thousandths of a degree; 0 where there is nothing sensible.
func celsius(path string) float64 {
	n, err := strconv.Atoi(word(path))
	if err != nil || n < -60_000 || n > 250_000 {
		return 0
	}
	return float64(n) / 1000
}
