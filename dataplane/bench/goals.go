package main

// goal is what a figure is to reach.
type goal struct {
	what  string
	least float64 // a ratio
	most  float64 // a value, unless there is a ratio; 0: none set
}

func (g goal) text() string {
	switch {
	case g.least > 0:
		return "≥ " + digits(g.least)
	case g.most > 0:
		return "≤ " + digits(g.most)
	}
	return ""
}

// bytesPerSession lets a million sessions fit in 1 GiB.
const bytesPerSession = 1 << 30 / 1e6

// goals are those of the project, by figure.
var goals = map[string]goal{
	"unprotected.stream1":             {what: "unprotected, one stream", least: 0.95},
	"unprotected.stream8":             {what: "unprotected, eight streams", least: 0.95},
	"unprotected.rtt_p50":             {what: "unprotected, 64-byte round trip, p50", least: 0.95},
	"unprotected.conn":                {what: "unprotected, new connections/s", least: 0.95},
	"unprotected.packets":             {what: "unprotected, 64-byte packets/s", least: 0.95},
	"inspected.keepalive_ours":        {what: "inspected, keep-alive requests/s, the product's definitions", least: 0.80},
	"inspected.bulk1":                 {what: "inspected, 100 MB response, one stream", least: 0.90},
	"inspected.bulk8":                 {what: "inspected, 100 MB response, eight streams", least: 0.90},
	"inspected.keepalive":             {what: "inspected, keep-alive requests/s", least: 0.80},
	"inspected.conn":                  {what: "inspected, new connections/s", least: 0.75},
	"edited.keepalive":                {what: "every request changed, keep-alive requests/s", least: 0.65},
	"inspected.keepalive_nginx":       {what: "inspected, keep-alive requests/s to nginx", least: 0.80},
	"inspected.conn_nginx":            {what: "inspected, new connections/s to nginx", least: 0.75},
	"inspected.added_rtt_p50_us":      {what: "added to an inspected 64-byte exchange, p50, in µs", most: 25},
	"update.stall_ms":                 {what: "added to the longest wait of a busy session by an update of definitions, in ms", most: 50},
	"definitions.slowdown_10_10000":   {what: "share of requests/s lost from 10 to 10,000 definitions", most: 0.05},
	"sessions.slowdown_1k_1m":         {what: "share of requests/s lost from 1,000 to 1,000,000 sessions", most: 0.05},
	"memory.bytes_per_session":        {what: "memory of a session, of a million that rest, in bytes", most: bytesPerSession},
	"memory.bytes_per_edited_session": {what: "memory of an idle session that was changed, in bytes"},
}
