// A client of faye-websocket that says a word with an extension offered, and prints what comes back.
const WebSocket = require('faye-websocket')
const c = new WebSocket.Client(`ws://${process.env.HOST}:${process.env.PORT}/deflate`, [], { extensions: [require('permessage-deflate')] })
c.on('open', () => c.send('hello'.repeat(500)))
c.on('message', (e) => { console.log(e.data); c.close() })
c.on('close', (e) => console.log(e.code))
