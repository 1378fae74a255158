// An echo over WebSocket beside a page. Below /offered the field itself is told.
const http = require('http')
const WebSocket = require('faye-websocket')

const server = http.createServer((req, res) => res.end(req.url.startsWith('/offered') ? `${req.headers['sec-websocket-extensions']}\n` : 'a page\n'))
server.on('upgrade', (req, socket, head) => {
  if (!WebSocket.isWebSocket(req)) return socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n')
  const ws = new WebSocket(req, socket, head, req.url.startsWith('/chat') ? ['chat'] : [], { extensions: req.url.startsWith('/deflate') ? [require('permessage-deflate')] : [] })
  ws.on('message', (e) => ws.send(e.data))
})
server.listen(+process.env.PORT, process.env.HOST)
