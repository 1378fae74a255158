package firmware

// shell opens the debug shell from the menu, and waits until it reads: what is
// typed before goes to neither.
func (m *machine) shell() {
	m.Helper()
	m.typed("5")
	m.wait(`exit leaves it`)
	m.wait(`# `)
}

func (m *machine) typed(line string) {
	m.Helper()
	if err := m.vm.Serial.Type(line + "\n"); err != nil {
		m.Fatal(err)
	}
}

// run runs a command in the shell, which must succeed. The console shows what is
// typed, in pieces between the lines of the log; only what the command's end
// prints has a number behind the equals sign.
func (m *machine) run(command string) {
	m.Helper()
	m.typed(command + "; echo status=$?=")
	if g := m.wait(`status=([0-9]+)=`); g[1] != "0" {
		m.Fatalf("%s: status %s\n%s", command, g[1], clean(m.vm.Serial.Tail(20)))
	}
}
