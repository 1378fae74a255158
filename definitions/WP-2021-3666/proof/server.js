// Says as JSON what body-parser-xml makes of a body, with what the body inherits.
const http = require('http')
const bodyParser = require('body-parser')
require('body-parser-xml')(bodyParser)

const parse = bodyParser.xml()
http.createServer((req, res) => parse(req, res, (err) => {
  res.setHeader('Content-Type', 'application/json')
  res.statusCode = err ? err.status || 500 : 200
  const all = {}
  for (const k in req.body) all[k] = req.body[k]
  res.end(JSON.stringify(err ? { error: true } : { body: req.body, all }) + '\n')
})).listen(+process.env.PORT, process.env.HOST)
