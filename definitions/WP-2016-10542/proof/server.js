// Answers each message with itself.
const http = require('http')
const server = http.createServer((req, res) => res.end('ok\n'))
const sockets = new (require('ws').Server)({ server })
sockets.on('connection', (c) => {
  c.on('error', () => {})
  c.on('message', (m) => c.send(m))
})
server.listen(+process.env.PORT, process.env.HOST)
