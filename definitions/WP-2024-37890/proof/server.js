// An echo over WebSocket, beside a page.
const http = require('http')
const { Server } = require('ws')

const server = http.createServer((req, res) => res.end('a page\n'))
const echo = new Server({ server })
echo.on('connection', (c) => {
  c.on('error', (err) => console.log('error:', err.message))
  c.on('message', (m, binary) => c.send(binary === true ? m : String(m)))
})
server.listen(+process.env.PORT, process.env.HOST)
