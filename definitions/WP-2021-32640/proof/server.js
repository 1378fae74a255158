// An echo over WebSocket, beside a page. Below /last the last protocol of those that a client offers is taken, elsewhere the first.
const http = require('http')
const { Server } = require('ws')

const server = http.createServer((req, res) => res.end('a page\n'))
const echo = [new Server({ noServer: true }), new Server({ noServer: true, handleProtocols: (all) => all[all.length - 1] })]
for (const s of echo) {
  s.on('connection', (c) => {
    c.on('error', (err) => console.log('error:', err.message))
    c.on('message', (m) => c.send(m))
  })
}
server.on('upgrade', (req, socket, head) => {
  const s = echo[+req.url.startsWith('/last')]
  s.handleUpgrade(req, socket, head, (c) => s.emit('connection', c, req))
})
server.listen(+process.env.PORT, process.env.HOST)
