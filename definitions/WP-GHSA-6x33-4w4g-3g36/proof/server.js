// A proxy in front of a page that counts bytes. It adds a header to what it passes on.
const http = require('http')
const httpProxy = require('http-proxy')

const behind = http.createServer((req, res) => {
  let n = 0
  req.on('data', (d) => { n += d.length })
  req.on('end', () => res.end(`${req.method} ${req.url} ${n} bytes\n`))
})
behind.listen(0, '127.0.0.1', () => {
  const proxy = httpProxy.createProxyServer({ target: 'http://127.0.0.1:' + behind.address().port })
  proxy.on('proxyReq', (req) => req.setHeader('X-Added', 'by the proxy'))
  proxy.on('error', (err, req, res) => {
    res.statusCode = 502
    res.end('bad gateway\n')
  })
  http.createServer((req, res) => proxy.web(req, res)).listen(+process.env.PORT, process.env.HOST)
})
