// An echo over SockJS whose streams end behind their first frame, and whose
// sessions end with them, so that each answer is whole and stands for itself.
const http = require('http')
const sockjs = require('sockjs')

const echo = sockjs.createServer({ log: () => {}, sockjs_url: '/sockjs.js', response_limit: 1, disconnect_delay: 1 })
echo.on('connection', (c) => c.on('data', (m) => c.write(m)))
const server = http.createServer((req, res) => {
  res.statusCode = req.url === '/' ? 200 : 404
  res.end(req.url === '/' ? 'a page\n' : 'no page\n')
})
echo.installHandlers(server, { prefix: '/echo' })
// A session lives on for a moment when its stream has ended; a stream that asks for it
// just then gets nothing. So each one has a session of its own, whatever it asks for.
let streams = 0
const emit = server.emit
server.emit = function (event, req, ...rest) {
  if (event === 'request') req.url = req.url.replace(/^\/echo\/000\/abc(?=\/(eventsource|htmlfile|jsonp|xhr|xhr_streaming)\b)/, () => `/echo/000/abc${++streams}`)
  return emit.call(this, event, req, ...rest)
}
server.listen(+process.env.PORT, process.env.HOST)
