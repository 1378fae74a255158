package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"wirepatch/mgmt/certs"
	"wirepatch/mgmt/web"
	"wirepatch/mgmt/wire"
)

var formToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// management is a signed-in visitor of the management page.
type management struct {
	*testing.T
	*http.Client
	base string
}

// adminPassword is the administrator's on the appliance that tests share.
const adminPassword = "four plain words here"

// signedIn sets the password, as the first visitor does.
var signedIn = sync.OnceValues(func() (*http.Client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), terminalTime)
	defer cancel()
	box := appliance.Manage(ctx)
	if !box.Answers {
		return nil, errors.New("the page does not answer with the certificate that the console names")
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	c := &http.Client{Jar: jar, Timeout: 5 * time.Minute, Transport: &http.Transport{TLSClientConfig: certs.Pinned(box.Fingerprint)}}
	base := "https://" + appliance.Management
	page, err := get(c, base+"/setup")
	if err != nil {
		return nil, err
	}
	token := formToken.FindStringSubmatch(page)
	if token == nil {
		return nil, fmt.Errorf("no form on the set-up page:\n%s", page)
	}
	form := url.Values{"token": {token[1]}, "code": {box.SetupCode}, "password": {adminPassword}, "repeat": {adminPassword}}
	req, err := http.NewRequest("POST", base+"/setup", nil)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", base)
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("set-up answers %s\n%s", resp.Status, body)
	}
	return c, nil
})

func get(c *http.Client, url string) (string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(body), err
}

// manage returns the signed-in visitor.
func manage(t *testing.T) *management {
	t.Helper()
	c, err := signedIn()
	if err != nil {
		t.Fatalf("signing in to the management page: %v", err)
	}
	return &management{t, c, "https://" + appliance.Management}
}

func (m *management) json(path string, into any) {
	m.Helper()
	body, err := get(m.Client, m.base+path)
	if err == nil {
		err = json.Unmarshal([]byte(body), into)
	}
	if err != nil {
		m.Fatalf("GET %s: %v\n%s", path, err, body)
	}
}

func (m *management) status() (s web.Status) {
	m.Helper()
	m.json("/api/v1/status", &s)
	return s
}

// events returns the records above since.
func (m *management) events(since uint64) (all []wire.Record) {
	m.Helper()
	m.json(fmt.Sprintf("/api/v1/events?since=%d", since), &all)
	return all
}

// untilTold waits for a record above since whose text is what is wanted.
func (m *management) untilTold(since uint64, want string, is func(text string) bool) {
	m.Helper()
	var texts []string
	for end := time.Now().Add(terminalTime); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		for _, r := range m.events(since) {
			if is(r.Text) {
				return
			}
			texts, since = append(texts, r.Kind+": "+r.Text), r.Seq
		}
	}
	m.Errorf("events: %q; want %s", texts, want)
}

// last returns the number of the newest record.
func (m *management) last() (n uint64) {
	m.Helper()
	for {
		all := m.events(n)
		if len(all) == 0 {
			return n
		}
		n = all[len(all)-1].Seq
	}
}
