// A client that subscribes, publishes and prints what it gets back.
const faye = require('faye')
const c = new faye.Client(`http://${process.env.HOST}:${process.env.PORT}/bayeux`, { timeout: 30 })
c.subscribe('/chat', (m) => {
  console.log(JSON.stringify(m))
  c.disconnect()
  setImmediate(() => process.exit(0))
}).then(() => c.publish('/chat', { text: 'hello', list: [1, null] }))
