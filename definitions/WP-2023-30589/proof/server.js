// Tells what the parser made of a request.
const http = require('http')

http.createServer((req, res) => {
  const body = []
  req.on('data', (d) => body.push(d))
  req.on('end', () => {
    const { method, url, rawHeaders, rawTrailers } = req
    res.end(JSON.stringify({ method, url, rawHeaders, rawTrailers, body: Buffer.concat(body).toString('latin1') }) + '\n')
  })
}).listen(+process.env.PORT, process.env.HOST)
