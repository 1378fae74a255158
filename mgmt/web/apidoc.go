package web

import (
	"wirepatch/dataplane/control"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/cycle"
	"wirepatch/mgmt/events"
	"wirepatch/mgmt/feed"
	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/out"
	"wirepatch/mgmt/report"
	"wirepatch/mgmt/wire"
)

// apiDoc says of one request what it is for; who may send it is in the routes.
type apiDoc struct {
	summary string
	query   []field
	in      []field // of the body, a JSON object
	out     any     // a value of the answer's type; nil: {}
	lines   bool    // one such value a line
	file    string  // content type of an answer that is a file
	takes   string  // content type of a body that is a file
}

// field is one value that a request takes.
type field struct {
	name, doc string
	optional  bool
	values    []string // that it may have; nil: any
}

func need(name, doc string, values ...string) field { return field{name, doc, false, values} }
func may(name, doc string, values ...string) field  { return field{name, doc, true, values} }

var (
	fName    = need("name", "name")
	fRole    = need("role", "role", "administrator", "operator", "approver", "auditor")
	fChange  = need("id", "number of the change")
	fAddress = need("address", "IPv4 or IPv6 address")
	fPresent = need("present", "your own password, again")
	fText    = need("text", "the file's text")
	fService = []field{fName, need("address", "address or prefix"), need("port", "1 to 65535"), may("protocol", "as in appliance.ini"), may("fail", "without an engine", "open", "closed"), may("exceed", "at a limit", "reset", "pass"), may("product", "what it runs, separated by commas: for definitions that are confined to a product; absent: as it is")}
	fFilter  = []field{may("q", "words"), may("definition", "id"), may("service", "name"), may("client", "address"), may("mode", "mode", "shadow", "correct"), may("from", "time in UTC"), may("to", "time in UTC"), may("show", "which", "corrections", "events")}
	fReport  = []field{may("kind", "kind", "exposure", "compliance", "effect", "changes"), may("from", "time in UTC"), may("to", "time in UTC"), may("cve", "vulnerability"), may("product", "product"), may("group", "group of servers")}
	fExposed = []field{may("q", "words"), may("state", "state", "exposed", "possible", "shadow", "corrected", "patched"), may("order", "absent: the worst first", "vulnerability", "server", "days")}
)

// apiDocs describes every request of the API, by method and path.
var apiDocs = map[string]apiDoc{
	"POST /api/v1/login":                        {summary: "sign in; the session is in the cookie", in: []field{may("user", "name"), need("password", "password"), may("code", "of the second factor")}, out: LoggedIn{}},
	"POST /api/v1/logout":                       {summary: "end the session"},
	"GET /api/v1/openapi.json":                  {summary: "this description", out: map[string]any{}},
	"GET /api/v1/status":                        {summary: "the wire and the box, now", out: Status{}},
	"GET /api/v1/events":                        {summary: "corrections and other events, oldest first", query: append([]field{may("since", "numbers above"), may("limit", "at most 200")}, fFilter...), out: []wire.Record{}},
	"GET /api/v1/tallies":                       {summary: "corrections counted", query: []field{may("from", "time in UTC"), may("to", "time in UTC")}, out: []events.Tally{}},
	"GET /api/v1/servers":                       {summary: "the inventory", out: []inventory.Server{}},
	"GET /api/v1/found":                         {summary: "services that answered on the wire, and what they said of themselves", out: []control.Found{}},
	"GET /api/v1/feeds":                         {summary: "sources of advisories, and how fetching is doing", out: []feed.Feed{}},
	"GET /api/v1/cycles":                        {summary: "patch cycles with their next windows", out: []CycleInfo{}},
	"POST /api/v1/servers/take":                 {summary: "take a server that was found on the wire into the inventory", in: []field{fAddress}},
	"POST /api/v1/servers/check":                {summary: "ask a server which version it is, when as many as must have approved", in: []field{fAddress, need("port", "1 to 65535")}, out: change.Change{}},
	"POST /api/v1/feeds/add":                    {summary: "add or change a source of advisories", in: []field{fName, need("kind", "kind", feed.Kinds...), need("url", "https://…; of a CSAF distribution its folder, with / at the end"), need("hours", "between two fetches"), may("proxy", "http://…"), may("ca", "authority of its certificate, PEM")}},
	"POST /api/v1/feeds/remove":                 {summary: "remove a source; what came from it stays", in: []field{fName}},
	"POST /api/v1/feeds/pull":                   {summary: "fetch a source now", in: []field{fName}},
	"POST /api/v1/cycles/add":                   {summary: "add or change a patch cycle", in: []field{fName, need("week", "1 to 4, 5: the last"), need("weekday", "0, Sunday, to 6"), may("months", "1 to 12, separated by commas; absent: all"), may("offset", "days after that day"), need("at", "as 22:00"), need("zone", "as Europe/Berlin"), need("minutes", "how long"), may("remind", "days ahead"), may("note", "note")}},
	"POST /api/v1/cycles/remove":                {summary: "remove a patch cycle", in: []field{fName}},
	"GET /api/v1/freezes":                       {summary: "times in which no change goes into force", out: []cycle.Freeze{}},
	"POST /api/v1/freezes/add":                  {summary: "add or change a freeze", in: []field{fName, need("from", "time in UTC"), need("to", "time in UTC"), may("note", "note")}},
	"POST /api/v1/freezes/remove":               {summary: "remove a freeze", in: []field{fName}},
	"GET /api/v1/exposures":                     {summary: "known vulnerabilities on known servers, with evidence", query: fExposed, out: []inventory.Exposure{}},
	"GET /api/v1/vex":                           {summary: "the same as CycloneDX 1.6 VEX", query: fExposed, out: inventory.VEX{}},
	"GET /api/v1/changes":                       {summary: "the draft, the policy, the last changes", out: ChangesInfo{}},
	"GET /api/v1/changes/{id}":                  {summary: "one change", out: change.Change{}},
	"GET /api/v1/settings":                      {summary: "the settings in force and those before", out: SettingsInfo{}},
	"GET /api/v1/updates":                       {summary: "firmware slots, definitions, what is offered, what is being done, what was", out: UpdatesInfo{}},
	"POST /api/v1/updates/upload":               {summary: "take an update file, as the body", query: []field{may("restart", "put its firmware in, and restart", "yes")}, takes: "application/octet-stream", out: update.Status{}},
	"POST /api/v1/updates/check":                {summary: "look into the update repository now"},
	"POST /api/v1/updates/install":              {summary: "put the offered firmware in", in: []field{need("when", "when", "now", "window", "never")}},
	"POST /api/v1/updates/slot":                 {summary: "restart into the firmware of another slot", in: []field{need("version", "of the slot"), need("sure", "that the wire may be down", "yes")}},
	"POST /api/v1/settings/export":              {summary: "all that was set up, in a file sealed with a passphrase", in: []field{fPresent, need("passphrase", "ten characters or more"), need("repeat", "the same again")}, file: "application/octet-stream"},
	"POST /api/v1/settings/import":              {summary: "take an export in place of all that is set up, and restart", in: []field{fPresent, need("passphrase", "the export's"), need("text", "the file, in base64"), need("sure", "that the box restarts", "yes")}},
	"POST /api/v1/settings/certificate/renew":   {summary: "a new key, and a certificate by the box itself", in: []field{need("sure", "that browsers warn again", "yes")}, out: CertificateInfo{}},
	"POST /api/v1/settings/certificate/request": {summary: "a new key, and a request for an authority to sign", in: []field{need("names", "host names and addresses, separated by commas")}, out: CertificateRequest{}},
	"POST /api/v1/settings/certificate/install": {summary: "serve a certificate that an authority has signed", in: []field{need("chain", "PEM, the box's own first"), may("key", "PEM; absent: the request's")}, out: CertificateInfo{}},
	"GET /api/v1/system":                        {summary: "load, temperatures, ports, programs", out: SystemInfo{}},
	"GET /api/v1/system/bundle":                 {summary: "support bundle, a tar.gz without secrets", file: "application/gzip"},
	"GET /api/v1/log":                           {summary: "the last lines of the box's log", query: []field{may("lines", "how many, at most 500")}, out: LogInfo{}},
	"POST /api/v1/system/rehearse":              {summary: "stop inspection for a second and tell what the wire did", in: []field{need("sure", "that it may", "yes")}, out: control.Rehearsal{}},
	"POST /api/v1/system/blink":                 {summary: "have a port's light blink", in: []field{need("port", "port", "wire-a", "wire-b", "mgmt")}},
	"POST /api/v1/system/restart":               {summary: "restart the box", in: []field{need("sure", "that the wire may be down", "yes")}},
	"POST /api/v1/users/key":                    {summary: "give a user a key for SSH", in: []field{fName, need("key", "as in id_ed25519.pub")}, out: auth.Key{}},
	"POST /api/v1/users/key/drop":               {summary: "take a user's key away", in: []field{fName, need("sum", "its fingerprint")}},
	"POST /api/v1/draft/ssh":                    {summary: "the console's menu over SSH", in: []field{need("ssh", "whether", "yes", "no")}},
	"POST /api/v1/draft/bypass":                 {summary: "have the wire pass everything uninspected", in: []field{need("bypass", "whether", "yes", "no")}},
	"GET /api/v1/outputs":                       {summary: "what goes out to other systems, and how that is doing", out: []out.Status{}},
	"GET /api/v1/audit":                         {summary: "the audit log, one record a line, at most 1000", query: []field{may("since", "numbers above")}, out: audit.Record{}, lines: true},
	"GET /api/v1/account":                       {summary: "the own account", out: AccountInfo{}},
	"POST /api/v1/account/password":             {summary: "another password of one's own; other sessions end", in: []field{fPresent, need("password", "12 characters or more"), need("repeat", "the same again")}},
	"POST /api/v1/account/factor":               {summary: "put a second factor into force", in: []field{fPresent, need("secret", "which GET /api/v1/account gave"), need("code", "that it gives now")}, out: RecoveryCodes{}},
	"POST /api/v1/account/factor/drop":          {summary: "give up the second factor", in: []field{fPresent}},
	"POST /api/v1/account/sessions":             {summary: "end all other sessions of one's own"},
	"GET /api/v1/users":                         {summary: "users and tokens, without secrets", out: UsersInfo{}},
	"POST /api/v1/draft/mode":                   {summary: "give a definition a mode", in: []field{need("definition", "id"), may("service", "name; absent: in all"), need("mode", "mode", "off", "shadow", "correct", "default")}},
	"POST /api/v1/draft/parameter":              {summary: "give a definition's parameter a value", in: []field{need("definition", "id"), may("service", "name; absent: in all"), need("name", "of the parameter"), may("value", "as in appliance.ini: of a list, texts separated by commas; yes or no"), may("default", "take the value back", "yes")}},
	"POST /api/v1/draft/service/add":            {summary: "add a protected service", in: fService},
	"POST /api/v1/draft/service":                {summary: "change a protected service", in: fService},
	"POST /api/v1/draft/service/remove":         {summary: "remove a protected service", in: []field{fName}},
	"POST /api/v1/draft/appliance":              {summary: "host name, link propagation", in: []field{need("hostname", "name"), may("link_propagation", "whether a port without link takes the other down", "yes", "no"), may("fail", "what services do without an engine that do not say it themselves", "open", "closed")}},
	"POST /api/v1/draft/firmware":               {summary: "where updates come from, and when they are put in; what is absent stays", in: []field{may("repository", "address; empty: none"), may("proxy", "address of a proxy on the way there; empty: none"), may("every", "how often it is looked at, as 6h"), may("install", "newer firmware", "ask", "window", "now"), may("window", "times of day in UTC, as 02:00-04:00")}},
	"POST /api/v1/draft/time":                   {summary: "time servers", in: []field{may("servers", "names or addresses, separated by commas; empty: none")}},
	"POST /api/v1/draft/management":             {summary: "the management port's address", in: []field{need("mode", "how", "dhcp", "static"), may("address", "with prefix length"), may("gateway", "address"), may("dns", "addresses, separated by commas")}},
	"POST /api/v1/draft/whole":                  {summary: "the whole appliance.ini, or an earlier one", in: []field{may("text", "the file"), may("revision", "number of an earlier one")}},
	"POST /api/v1/draft/discard":                {summary: "give up what is pending"},
	"POST /api/v1/changes/submit":               {summary: "make the draft a change", in: []field{need("reason", "why"), may("from", "begin of its window, UTC"), may("to", "end of its window, UTC"), may("cycle", "name of a patch cycle, whose next window it is to be"), may("draft", "SHA-256 of the draft that was looked at"), may("urgent", "in spite of a freeze", "yes")}, out: change.Change{}},
	"POST /api/v1/changes/approve":              {summary: "approve a change", in: []field{fChange, need("plan", "SHA-256 of the plan that was looked at")}, out: change.Change{}},
	"POST /api/v1/changes/reject":               {summary: "reject a change", in: []field{fChange, may("note", "why not")}, out: change.Change{}},
	"POST /api/v1/changes/withdraw":             {summary: "take a change back before it is applied", in: []field{fChange}, out: change.Change{}},
	"POST /api/v1/changes/undo":                 {summary: "put back what was before a change", in: []field{fChange}, out: change.Change{}},
	"POST /api/v1/settings/confirm":             {summary: "let a change of the management port stay"},
	"POST /api/v1/settings/approvals":           {summary: "how many others must approve a change", in: []field{need("approvals", "how many", "0", "1", "2")}},
	"POST /api/v1/servers/add":                  {summary: "add a server", in: []field{fAddress, may("name", "name"), may("group", "group"), may("product", "software on it"), may("version", "its version")}},
	"POST /api/v1/servers/remove":               {summary: "remove a server", in: []field{fAddress}},
	"POST /api/v1/servers/csv":                  {summary: "add servers from CSV", in: []field{fText}},
	"POST /api/v1/servers/sbom":                 {summary: "add a server's software from CycloneDX JSON", in: []field{fAddress, fText}},
	"POST /api/v1/advisories/add":               {summary: "add advisories: CISA KEV, OSV or CSAF 2.0", in: []field{fText}},
	"POST /api/v1/outputs/add":                  {summary: "add or change an output", in: []field{fName, need("kind", "kind", "udp", "tcp", "tls", "webhook"), need("target", "host:port, or the webhook's address"), may("format", "of syslog", "text", "cef", "eve"), may("ca", "authority of its certificate, PEM"), may("secret", "of a webhook")}},
	"POST /api/v1/outputs/remove":               {summary: "remove an output", in: []field{fName}},
	"POST /api/v1/users/add":                    {summary: "add a user", in: []field{fName, fRole, need("password", "to be changed at the first sign-in")}},
	"POST /api/v1/users/role":                   {summary: "give a user another role", in: []field{fName, fRole}},
	"POST /api/v1/users/disable":                {summary: "keep a user out", in: []field{fName}},
	"POST /api/v1/users/enable":                 {summary: "let a user in again", in: []field{fName}},
	"POST /api/v1/users/password":               {summary: "give a user a new password, to be changed at the next sign-in", in: []field{fName, need("password", "password")}},
	"POST /api/v1/users/factor/drop":            {summary: "take a user's second factor away", in: []field{fName}},
	"POST /api/v1/users/remove":                 {summary: "remove a user", in: []field{fName}},
	"POST /api/v1/tokens/add":                   {summary: "make a token", in: []field{fName, fRole, need("days", "1 to 400")}, out: NewToken{}},
	"POST /api/v1/tokens/drop":                  {summary: "make a token invalid", in: []field{fName}},
	"GET /api/v1/csaf":                          {summary: "the exposures as CSAF 2.0 VEX", query: fExposed, out: inventory.CSAF{}},
	"GET /api/v1/report":                        {summary: "a report, made now", query: fReport, out: report.Report{}},
	"GET /api/v1/reports":                       {summary: "reports that are kept, and schedules", out: ReportsInfo{}},
	"GET /api/v1/report/{form}":                 {summary: "the same as json, csv or pdf", query: fReport, out: report.Report{}},
	"GET /api/v1/events/{seq}":                  {summary: "one event", out: wire.Record{}},
	"GET /api/v1/events/{seq}/pcap":             {summary: "the bytes before and after as frames made for it", file: "application/vnd.tcpdump.pcap"},
	"GET /api/v1/exposures.csv":                 {summary: "the exposures as CSV", query: fExposed, file: "text/csv"},
	"GET /api/v1/cycles.ics":                    {summary: "the windows as a calendar", file: "text/calendar"},
	"GET /api/v1/reports/{id}/{form}":           {summary: "a kept report as json, csv or pdf", out: report.Report{}},
	"POST /api/v1/reports/keep":                 {summary: "make a report and keep it", in: append([]field{may("kind", "kind", "exposure", "compliance", "effect", "changes")}, fReport[1:]...), out: report.Kept{}},
	"POST /api/v1/reports/schedules/add":        {summary: "have a report be made each period", in: append([]field{fName, need("kind", "kind", "exposure", "compliance", "effect", "changes"), need("every", "period", report.Periods...), may("target", "webhook that gets it, https://…"), may("secret", "to sign with"), may("ca", "authority of its certificate, PEM")}, fReport[3:]...)},
	"POST /api/v1/reports/schedules/remove":     {summary: "remove a schedule; its reports stay", in: []field{fName}},
}
