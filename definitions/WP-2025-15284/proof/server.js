// Says as JSON what qs makes of a query, or of a form, of which it undoes the content coding.
const http = require('http')
const qs = require('qs')
const zlib = require('zlib')

const codings = { gzip: zlib.createGunzip, deflate: zlib.createInflate, br: zlib.createBrotliDecompress }

http.createServer((req, res) => {
  let body = ''
  const coding = codings[(req.headers['content-encoding'] || '').toLowerCase()]
  const content = coding ? req.pipe(coding()) : req
  content.on('data', (b) => { body += b })
  content.on('error', () => { res.writeHead(400).end('bad\n') })
  content.on('end', () => {
    const form = /^application\/x-www-form-urlencoded/i.test(req.headers['content-type'])
    const text = JSON.stringify({ query: qs.parse(req.url.split('?').slice(1).join('?')), form: form ? qs.parse(body) : undefined }) + '\n'
    res.setHeader('Content-Type', 'application/json')
    res.end(text)
  })
}).listen(+process.env.PORT, process.env.HOST)
