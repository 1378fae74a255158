// Answers events, in two namespaces, beside a page.
const http = require('http')
const server = http.createServer((req, res) => res.end('a page\n'))
const io = new (require('socket.io').Server)(server)

for (const room of [io.of('/'), io.of('/a')]) {
  room.on('connection', (c) => {
    c.on('hi', (x, done) => typeof done === 'function' ? done(x) : c.emit('hello', x))
    c.on('7', (x) => c.emit('seven', x))
    c.on('err', (x) => c.emit('hello', x))
    c.on('bye', () => c.disconnect(true))
  })
}
server.listen(+process.env.PORT, process.env.HOST)
