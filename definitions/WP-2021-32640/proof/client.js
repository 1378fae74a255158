// A client that sends texts, octets and a long message, and prints what comes back.
const WebSocket = require('ws')
const sent = ['hello', 'é'.repeat(300), Buffer.alloc(70000, 'x'), Buffer.from([0, 255]), '']
const c = new WebSocket(`ws://${process.env.HOST}:${process.env.PORT}/`)
let n = 0
c.on('open', () => c.send(sent[0]))
c.on('message', (m) => {
  console.log(m.length, String(m).slice(0, 20))
  if (++n === sent.length) c.close(1000, 'done')
  else c.send(sent[n])
})
c.on('close', (code, reason) => console.log('closed', code, String(reason)))
