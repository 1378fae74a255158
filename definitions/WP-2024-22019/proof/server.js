// Tells what it has got.
const http = require('http')

http.createServer((req, res) => {
  let body = ''
  req.on('data', (d) => { body += d })
  req.on('end', () => res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, trailers: req.trailers, body }) + '\n'))
}).listen(+process.env.PORT, process.env.HOST)
