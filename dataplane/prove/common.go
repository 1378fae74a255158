package prove

// common are requests that every HTTP server must bear and no definition may
// touch. Each proof has them beside its own.
var common = []string{
	"GET /",
	"HEAD /",
	"GET /no/such/page",
	"GET /?a=1&b=%20c&a=2",
	"GET /?q=${'long+'.repeat(100)}query&r=%F0%9F%98%80",
	"GET /favicon.ico\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\n" +
		"Accept-Language: de-CH,de;q=0.9,en;q=0.8\nAccept-Encoding: gzip, deflate, br\nDNT: 1\nSec-Fetch-Mode: navigate",
	"GET /\nCookie: a=b; c=\"d e\"; theme=dark\nReferer: http://a/\nCache-Control: no-cache\nPragma: no-cache",
	"GET /\nAuthorization: Basic dXNlcjpwYXNz",
	"GET /\nX-Forwarded-For: 192.0.2.1, 198.51.100.2\nX-Forwarded-Proto: https\nX-Forwarded-Host: www.example.com\nVia: 1.1 proxy",
	"GET /\nX-Long: ${'abcdefgh'.repeat(500)}",
	"GET /\nIf-None-Match: \"abc\", W/\"def\"\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
	"GET /\nRange: bytes=0-9",
	"OPTIONS /\nOrigin: http://a\nAccess-Control-Request-Method: POST",
	"POST /\nContent-Type: application/x-www-form-urlencoded\n\nname=value&text=a+b%21&empty=",
	"POST /\nContent-Type: application/json\n\n{\"name\":\"value\",\"list\":[1,2.5e3,true,null,{\"x\":\"\\u00e9\"}]}",
	"POST /\nContent-Type: text/plain; charset=utf-8\n\nplain text, with\ntwo lines",
	"POST /\nContent-Type: multipart/form-data; boundary=XX\n\n--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX\r\n" +
		"Content-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\nContent-Type: text/plain\r\n\r\nfile\r\n--XX--\r\n",
	"POST /\nTransfer-Encoding: chunked\nContent-Type: text/plain\n\n4\r\nbody\r\n0\r\n\r\n",
	"POST /\nContent-Length: 0",
	"PUT /thing/1\nContent-Type: application/octet-stream\n\n${'0123456789'.repeat(300)}",
	"DELETE /thing/1",
	"GET / HTTP/1.0",
}

// withCommon adds them to an HTTP proof.
func (p *proof) withCommon() error {
	if p.definition.Protocol != "http" {
		return nil
	}
	for _, text := range common {
		r, err := parseRequest(text)
		if err != nil {
			return err
		}
		p.Harmless = append(p.Harmless, entry{requests: []request{r}, once: true, anyway: true})
	}
	return nil
}
