// Applies a patch to a document, as it is or with its operations checked, and shows what has become of it.
const http = require('http')
const zlib = require('zlib')
const { applyPatch } = require('fast-json-patch')

const patches = { '/': (p) => p, '/checked': (p) => p, '/within': (p) => p.changes.patch }
const undo = { '': (b) => b, identity: (b) => b, gzip: zlib.gunzipSync, deflate: zlib.inflateSync, br: zlib.brotliDecompressSync } // as Express does
http.createServer((req, res) => {
  const path = req.url.split('?')[0]
  if (!patches[path] || req.method === 'GET' || req.method === 'HEAD') return res.end('a page\n')
  const decode = undo[(req.headers['content-encoding'] || '').toLowerCase()]
  if (!decode) return res.writeHead(415).end()
  const parts = []
  req.on('data', (d) => { parts.push(d) }).on('end', () => {
    let text
    try {
      text = decode(Buffer.concat(parts)).toString()
    } catch (err) {
      return res.writeHead(400, { 'Content-Type': 'text/plain' }).end('cannot be decoded\n')
    }
    try {
      const document = { a: { b: 1, constructor_: 2 }, list: [1, { c: 2 }], constructor: undefined, 'x/y': 3 }
      delete document.constructor
      const { newDocument } = applyPatch(document, patches[path](JSON.parse(text)), path === '/checked')
      res.setHeader('Content-Type', 'application/json').end(JSON.stringify(newDocument) + '\n')
    } catch (err) {
      res.writeHead(400, { 'Content-Type': 'text/plain' }).end(err.message.split('\n')[0] + '\n')
    }
  })
}).listen(+process.env.PORT, process.env.HOST)
