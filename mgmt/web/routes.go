package web

import (
	"net/http"
	"net/url"

	"wirepatch/mgmt/auth"
)

// access says who may use a route, besides its roles. There is one place that
// checks it, guard, and one table that says it, routes.
type access int

const (
	signedIn access = iota // the zero value: a user or token of the roles that the route names
	visitor                // not signed in, once there is a user
	newcomer               // while there is no user
	anyone                 // always: files that tell nothing
)

// form says in which form a route answers, its errors included.
type form int

const (
	page form = iota
	data      // JSON, or a fragment for the page's script
)

type handler func(http.ResponseWriter, *http.Request, visit)

type route struct {
	path, method string
	access       access
	may          auth.Role // of signedIn; the zero value: nobody
	people       bool      // not with a token: a person must stand behind it
	form         form
	large        bool   // takes files
	stream       bool   // takes one large file as it arrives, and checks the form's token itself
	quiet        bool   // asked again and again by itself: does not prolong the session
	back         string // of a form: the page that it is on
	handle       handler
}

// Sets of roles that routes name.
const (
	all       = auth.Everyone
	admins    = auth.Administrator
	overseers = auth.Administrator | auth.Auditor
	editors   = auth.Administrator | auth.Operator
	approvers = auth.Administrator | auth.Approver
)

// routes is the whole site.
func (s *Site) routes() []route {
	r := []route{
		{path: "/{$}", method: "GET", may: all, handle: s.overview},
		{path: "/live", method: "GET", may: all, form: data, quiet: true, handle: s.live},
		{path: "/corrections", method: "GET", may: all, handle: s.findPage},
		{path: "/corrections/live", method: "GET", may: all, form: data, quiet: true, handle: s.findLive},
		{path: "/corrections/{seq}", method: "GET", may: all, handle: s.recordPage},
		{path: "/corrections/{seq}/json", method: "GET", may: all, handle: s.recordJSON},
		{path: "/corrections/{seq}/pcap", method: "GET", may: all, handle: s.recordPcap},
		{path: "/servers", method: "GET", may: all, handle: s.serversPage},
		{path: "/servers/{address}", method: "GET", may: all, handle: s.serverPage},
		{path: "/cycles.ics", method: "GET", may: all, handle: s.calendar},
		{path: "/vulnerabilities", method: "GET", may: all, handle: s.exposurePage},
		{path: "/vulnerabilities/{cve}", method: "GET", may: all, handle: s.exposurePage},
		{path: "/vulnerabilities.csv", method: "GET", may: all, handle: s.exposureCSV},
		{path: "/vulnerabilities.csaf.json", method: "GET", may: all, handle: s.exposureCSAF},
		{path: "/reports", method: "GET", may: all, handle: s.reportsPage},
		{path: "/reports/now", method: "GET", may: all, handle: s.reportPage},
		{path: "/reports/now/{form}", method: "GET", may: all, handle: s.reportPage},
		{path: "/reports/kept/{id}", method: "GET", may: all, handle: s.keptReportPage},
		{path: "/reports/kept/{id}/{form}", method: "GET", may: all, handle: s.keptReportPage},
		{path: "/vulnerabilities.vex.json", method: "GET", may: all, handle: s.exposureVEX},
		{path: "/patches", method: "GET", may: all, handle: s.patchesPage},
		{path: "/patches/{definition}", method: "GET", may: all, handle: s.patchPage},
		{path: "/settings", method: "GET", may: all, handle: s.settingsPage},
		{path: "/settings/export", method: "POST", may: admins, people: true, handle: s.exportSettings},
		{path: "/api/v1/settings/export", method: "POST", may: admins, people: true, form: data, handle: s.exportSettings},
		{path: "/changes", method: "GET", may: all, handle: s.changesPage},
		{path: "/changes/{id}", method: "GET", may: all, handle: s.changePage},
		{path: "/updates", method: "GET", may: all, handle: s.updatesPage},
		{path: "/updates/upload", method: "POST", may: editors, stream: true, handle: s.upload},
		{path: "/system", method: "GET", may: all, handle: s.systemPage},
		{path: "/system/bundle", method: "GET", may: editors, handle: s.bundle},
		{path: "/outputs", method: "GET", may: overseers, handle: s.outputsPage},
		{path: "/metrics", method: "GET", may: all, form: data, quiet: true, handle: s.metrics()},
		{path: "/audit", method: "GET", may: overseers, handle: s.auditPage},
		{path: "/account", method: "GET", may: all, people: true, handle: s.accountPage},
		{path: "/api/v1/account", method: "GET", may: all, people: true, form: data, handle: s.apiAccount},
		{path: "/users", method: "GET", may: overseers, handle: s.usersPage},
		{path: "/logout", method: "POST", may: all, people: true, handle: s.logout},
		{path: "/login", method: "GET", access: visitor, handle: s.loginPage},
		{path: "/login", method: "POST", access: visitor, handle: s.login},
		{path: "/setup", method: "GET", access: newcomer, handle: s.setupPage},
		{path: "/setup", method: "POST", access: newcomer, handle: s.setup},
		{path: "/api/v1/openapi.json", method: "GET", may: all, form: data, handle: s.apiDescription},
		{path: "/api/v1/status", method: "GET", may: all, form: data, handle: s.apiStatus},
		{path: "/api/v1/events", method: "GET", may: all, form: data, handle: s.apiEvents},
		{path: "/api/v1/events/{seq}", method: "GET", may: all, form: data, handle: s.recordJSON},
		{path: "/api/v1/events/{seq}/pcap", method: "GET", may: all, form: data, handle: s.recordPcap},
		{path: "/api/v1/exposures.csv", method: "GET", may: all, form: data, handle: s.exposureCSV},
		{path: "/api/v1/cycles.ics", method: "GET", may: all, form: data, handle: s.calendar},
		{path: "/api/v1/report/{form}", method: "GET", may: all, form: data, handle: s.reportPage},
		{path: "/api/v1/tallies", method: "GET", may: all, form: data, handle: s.apiTallies},
		{path: "/api/v1/servers", method: "GET", may: all, form: data, handle: s.apiServers},
		{path: "/api/v1/found", method: "GET", may: all, form: data, handle: s.apiFound},
		{path: "/api/v1/feeds", method: "GET", may: all, form: data, handle: s.apiFeeds},
		{path: "/api/v1/cycles", method: "GET", may: all, form: data, handle: s.apiCycles},
		{path: "/api/v1/freezes", method: "GET", may: all, form: data, handle: s.apiFreezes},
		{path: "/api/v1/exposures", method: "GET", may: all, form: data, handle: s.apiExposures},
		{path: "/api/v1/vex", method: "GET", may: all, form: data, handle: s.exposureVEX},
		{path: "/api/v1/csaf", method: "GET", may: all, form: data, handle: s.exposureCSAF},
		{path: "/api/v1/report", method: "GET", may: all, form: data, handle: s.apiReport},
		{path: "/api/v1/reports", method: "GET", may: all, form: data, handle: s.apiReports},
		{path: "/api/v1/reports/{id}/{form}", method: "GET", may: all, form: data, handle: s.keptReportPage},
		{path: "/api/v1/changes", method: "GET", may: all, form: data, handle: s.apiChanges},
		{path: "/api/v1/changes/{id}", method: "GET", may: all, form: data, handle: s.apiChange},
		{path: "/api/v1/settings", method: "GET", may: all, form: data, handle: s.apiSettings},
		{path: "/api/v1/updates", method: "GET", may: all, form: data, handle: s.apiUpdates},
		{path: "/api/v1/updates/upload", method: "POST", may: editors, stream: true, form: data, handle: s.upload},
		{path: "/api/v1/system", method: "GET", may: all, form: data, handle: s.apiSystem},
		{path: "/api/v1/system/bundle", method: "GET", may: editors, form: data, handle: s.bundle},
		{path: "/api/v1/log", method: "GET", may: all, form: data, handle: s.apiLog},
		{path: "/api/v1/outputs", method: "GET", may: overseers, form: data, handle: s.apiOutputs},
		{path: "/api/v1/audit", method: "GET", may: overseers, form: data, handle: s.apiAudit},
		{path: "/api/v1/users", method: "GET", may: overseers, form: data, handle: s.apiUsers},
		{path: "/api/v1/login", method: "POST", access: visitor, form: data, handle: s.apiLogin},
		{path: "/api/v1/logout", method: "POST", may: all, people: true, form: data, handle: s.apiLogout},
		{path: "/api/", method: "GET", may: all, form: data, handle: s.noSuchPage},
		{path: "/", method: "GET", may: all, handle: s.noSuchPage},
	}
	// What changes something is there twice: for forms and for programs.
	for _, a := range s.actions() {
		r = append(r,
			route{path: a.path, method: "POST", may: a.may, people: a.people, large: a.large, back: a.back, handle: s.act(a.name, a.back, a.do)},
			route{path: "/api/v1" + a.path, method: "POST", may: a.may, people: a.people, large: a.large, form: data, handle: s.act(a.name, a.back, a.do)})
	}
	for path, h := range staticFiles() {
		r = append(r, route{path: path, method: "GET", access: anyone, handle: h})
	}
	return r
}

// actions are what a page or a program can have done. Users and tokens are
// managed by people only: a stolen token must not make another one.
func (s *Site) actions() []action {
	return []action{
		{name: "draft.mode", path: "/draft/mode", back: "/patches", may: editors, do: backToPatch(s.edit(ofName("mode of ", "definition"), editMode))},
		{name: "draft.parameter", path: "/draft/parameter", back: "/patches", may: editors, do: backToPatch(s.edit(ofName("parameter of ", "definition"), s.editParameter))},
		{name: "draft.service.add", path: "/draft/service/add", back: "/settings", may: editors, do: s.edit(ofName("new service ", "name"), addService)},
		{name: "draft.service", path: "/draft/service", back: "/settings", may: editors, do: s.edit(ofName("service ", "name"), editService)},
		{name: "draft.service.remove", path: "/draft/service/remove", back: "/settings", may: editors, do: s.edit(ofName("without service ", "name"), removeService)},
		{name: "draft.appliance", path: "/draft/appliance", back: "/settings", may: editors, do: s.edit(ofName("host name ", "hostname"), editAppliance)},
		{name: "draft.firmware", path: "/draft/firmware", back: "/settings", may: editors, do: s.edit(func(url.Values) string { return "updates" }, editFirmware)},
		{name: "draft.time", path: "/draft/time", back: "/settings", may: editors, do: s.edit(ofName("time servers ", "servers"), editTime)},
		{name: "draft.management", path: "/draft/management", back: "/settings", may: editors, do: s.edit(ofName("management port ", "mode"), editManagement)},
		{name: "draft.whole", path: "/draft/whole", back: "/changes", may: editors, do: s.step(s.editWhole)},
		{name: "draft.discard", path: "/draft/discard", back: "/changes", may: editors, do: s.step(s.discard)},
		{name: "change.submit", path: "/changes/submit", back: "/changes", may: editors, do: s.step(s.submit)},
		{name: "change.approve", path: "/changes/approve", back: "/changes", may: approvers, people: true, do: s.step(s.approve)},
		{name: "change.reject", path: "/changes/reject", back: "/changes", may: approvers, people: true, do: s.step(s.reject)},
		{name: "change.withdraw", path: "/changes/withdraw", back: "/changes", may: editors, do: s.step(s.withdraw)},
		{name: "change.undo", path: "/changes/undo", back: "/changes", may: editors, people: true, do: s.step(s.undo)},
		{name: "settings.confirm", path: "/settings/confirm", back: "/settings", may: editors, people: true, do: s.step(s.confirmSettings)},
		{name: "policy.approvals", path: "/settings/approvals", back: "/settings", may: admins, people: true, do: s.step(s.setApprovals)},
		{name: "update.check", path: "/updates/check", back: "/updates", may: editors, do: s.checkUpdates},
		{name: "update.install", path: "/updates/install", back: "/updates", may: editors, do: s.installUpdate},
		{name: "firmware.slot", path: "/updates/slot", back: "/updates", may: editors, people: true, do: s.startSlot},
		{name: "wire.rehearse", path: "/system/rehearse", back: "/system", may: editors, people: true, do: s.rehearse},
		{name: "port.blink", path: "/system/blink", back: "/system", may: editors, do: s.blinkPort},
		{name: "box.reboot", path: "/system/restart", back: "/system", may: editors, people: true, do: s.restartBox},
		{name: "settings.import", path: "/settings/import", back: "/settings", may: admins, people: true, large: true, do: s.importSettings},
		{name: "certificate.renew", path: "/settings/certificate/renew", back: "/settings", may: admins, people: true, do: s.renewCertificate},
		{name: "certificate.request", path: "/settings/certificate/request", back: "/settings", may: admins, people: true, do: s.requestCertificate},
		{name: "certificate.install", path: "/settings/certificate/install", back: "/settings", may: admins, people: true, do: s.installCertificate},
		{name: "user.key.add", path: "/users/key", back: "/users", may: admins, people: true, do: s.addKey},
		{name: "user.key.drop", path: "/users/key/drop", back: "/users", may: admins, people: true, do: s.dropKey},
		{name: "draft.ssh", path: "/draft/ssh", back: "/settings", may: editors, do: s.edit(ofName("SSH ", "ssh"), editSSH)},
		{name: "draft.bypass", path: "/draft/bypass", back: "/changes", may: editors, do: s.edit(ofName("bypass ", "bypass"), editBypass)},
		{name: "server.add", path: "/servers/add", back: "/servers", may: editors, do: s.addServer},
		{name: "server.remove", path: "/servers/remove", back: "/servers", may: editors, do: s.removeServer},
		{name: "server.take", path: "/servers/take", back: "/servers", may: editors, do: s.takeServer},
		{name: "server.check", path: "/servers/check", back: "/servers", may: editors, do: s.step(s.checkServer)},
		{name: "server.csv", path: "/servers/csv", back: "/servers", may: editors, large: true, do: s.addServers},
		{name: "server.sbom", path: "/servers/sbom", back: "/servers", may: editors, large: true, do: s.addBill},
		{name: "advisory.add", path: "/advisories/add", back: "/vulnerabilities", may: editors, large: true, do: s.addAdvisories},
		{name: "feed.add", path: "/feeds/add", back: "/vulnerabilities", may: admins, people: true, do: s.addFeed},
		{name: "feed.remove", path: "/feeds/remove", back: "/vulnerabilities", may: admins, people: true, do: s.removeFeed},
		{name: "feed.pull", path: "/feeds/pull", back: "/vulnerabilities", may: editors, do: s.pullFeed},
		{name: "cycle.add", path: "/cycles/add", back: "/changes#cycles", may: editors, do: s.addCycle},
		{name: "cycle.remove", path: "/cycles/remove", back: "/changes#cycles", may: editors, do: s.removeCycle},
		{name: "freeze.add", path: "/freezes/add", back: "/changes#freezes", may: admins, people: true, do: s.addFreeze},
		{name: "freeze.remove", path: "/freezes/remove", back: "/changes#freezes", may: admins, people: true, do: s.removeFreeze},
		{name: "report.keep", path: "/reports/keep", back: "/reports", may: editors, do: s.keepReport},
		{name: "report.schedule.add", path: "/reports/schedules/add", back: "/reports#schedules", may: admins, people: true, do: s.addSchedule},
		{name: "report.schedule.remove", path: "/reports/schedules/remove", back: "/reports#schedules", may: admins, people: true, do: s.removeSchedule},
		{name: "output.add", path: "/outputs/add", back: "/outputs", may: admins, people: true, do: s.addOutput},
		{name: "output.remove", path: "/outputs/remove", back: "/outputs", may: admins, people: true, do: s.removeOutput},
		{name: "account.password", path: "/account/password", back: "/account", may: all, people: true, do: s.ownPassword},
		{name: "account.factor", path: "/account/factor", back: "/account", may: all, people: true, do: s.ownFactor},
		{name: "account.factor.drop", path: "/account/factor/drop", back: "/account", may: all, people: true, do: s.dropOwnFactor},
		{name: "account.sessions.end", path: "/account/sessions", back: "/account", may: all, people: true, do: s.endOwnSessions},
		{name: "user.add", path: "/users/add", back: "/users", may: admins, people: true, do: s.addUser},
		{name: "user.role", path: "/users/role", back: "/users", may: admins, people: true, do: s.setRole},
		{name: "user.disable", path: "/users/disable", back: "/users", may: admins, people: true, do: s.disableUser},
		{name: "user.enable", path: "/users/enable", back: "/users", may: admins, people: true, do: s.enableUser},
		{name: "user.password", path: "/users/password", back: "/users", may: admins, people: true, do: s.resetUser},
		{name: "user.factor.drop", path: "/users/factor/drop", back: "/users", may: admins, people: true, do: s.dropFactor},
		{name: "user.remove", path: "/users/remove", back: "/users", may: admins, people: true, do: s.removeUser},
		{name: "token.add", path: "/tokens/add", back: "/users", may: admins, people: true, do: s.addToken},
		{name: "token.drop", path: "/tokens/drop", back: "/users", may: admins, people: true, do: s.dropToken},
	}
}

// mux gathers the routes by path.
func (s *Site) mux() *http.ServeMux {
	paths := map[string][]route{}
	for _, r := range s.routes() {
		paths[r.path] = append(paths[r.path], r)
	}
	mux := http.NewServeMux()
	for path, routes := range paths {
		mux.Handle(path, s.methods(routes))
	}
	return mux
}

// methods serves one path. A method that it does not have is refused like the
// routes it has: what there is stays unknown to who may not see it.
func (s *Site) methods(routes []route) http.HandlerFunc {
	var allow []string
	wrong := routes[0]
	for _, r := range routes {
		allow = append(allow, r.method)
		wrong.access = min(wrong.access, r.access)
		wrong.may |= r.may
	}
	wrong.method = ""
	wrong.handle = func(w http.ResponseWriter, r *http.Request, v visit) { s.wrongMethod(w, r, v, allow) }
	return func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		for _, rt := range routes {
			if rt.method == method {
				s.guard(w, r, rt)
				return
			}
		}
		s.guard(w, r, wrong)
	}
}
