// Serves the folder public, beside which lies public-restricted.
const http = require('http')
const send = require('send')
const url = require('url')

http.createServer((req, res) => {
  send(req, url.parse(req.url).pathname, { root: __dirname + '/public' }).pipe(res)
}).listen(+process.env.PORT, process.env.HOST)
