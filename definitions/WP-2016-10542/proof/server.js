// Answers each message with itself, a long one with its length. The fixed version hands
// on an empty message behind its refusal of a compressed one; that is not answered.
const http = require('http')
const server = http.createServer((req, res) => res.end('ok\n'))
const sockets = new (require('ws').Server)({ server })
sockets.on('connection', (c) => {
  c.on('error', () => {})
  c.on('message', (m) => { if (c.readyState === 1) c.send(m.length > 1e6 ? Buffer.from(String(m.length)) : m) })
})
server.listen(+process.env.PORT, process.env.HOST)
