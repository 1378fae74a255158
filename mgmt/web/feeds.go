package web

import (
	"net/http"
	"net/url"
	"strconv"

	"wirepatch/mgmt/feed"
	"wirepatch/mgmt/visible"
)

// feedRow is a source of advisories.
type feedRow struct {
	Name, Kind, URL, Proxy, Error string
	Hours, Got                    int
	Last, Next                    moment
}

func (s *Site) feedRows() (rows []feedRow, err error) {
	all, err := s.Feeds.Feeds()
	for _, f := range all {
		rows = append(rows, feedRow{f.Name, f.Kind, visible.Line(feed.Shown(f.URL)), visible.Line(feed.Shown(f.Proxy)), visible.Line(f.Error), f.Hours, f.Got, at(f.Last), at(f.Next)})
	}
	return rows, err
}

func (s *Site) apiFeeds(w http.ResponseWriter, _ *http.Request, _ visit) {
	all, err := s.Feeds.Feeds()
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	for i, f := range all {
		all[i].URL, all[i].Proxy = feed.Shown(f.URL), feed.Shown(f.Proxy)
	}
	writeJSON(w, http.StatusOK, all)
}

func (s *Site) addFeed(_ *http.Request, _ visit, in url.Values) (done, error) {
	hours, err := strconv.Atoi(in.Get("hours"))
	if err != nil {
		return done{}, faulty("hours: got %.20q, want a number", in.Get("hours"))
	}
	f := feed.Feed{Name: in.Get("name"), Kind: in.Get("kind"), URL: in.Get("url"), Proxy: in.Get("proxy"), CA: in.Get("ca"), Hours: hours}
	return done{Object: visible.Line(f.Name), Detail: visible.Line(f.Kind + " " + feed.Shown(f.URL))}, s.Feeds.Put(f)
}

func (s *Site) removeFeed(_ *http.Request, _ visit, in url.Values) (done, error) {
	return done{Object: visible.Line(in.Get("name"))}, s.Feeds.Remove(in.Get("name"))
}

func (s *Site) pullFeed(_ *http.Request, _ visit, in url.Values) (done, error) {
	return done{Object: visible.Line(in.Get("name"))}, s.Feeds.Soon(in.Get("name"))
}
