// A Bayeux server, whose extension lets nobody subscribe to /secret without the word.
const http = require('http')
const faye = require('faye')

const bayeux = new faye.NodeAdapter({ mount: '/bayeux', timeout: 5 })
bayeux.addExtension({
  incoming: (message, done) => {
    if (message.channel === '/meta/subscribe' && message.subscription === '/secret' && !(message.ext && message.ext.word === 'open')) message.error = '403::the word is missing'
    done(message)
  }
})
const server = http.createServer((req, res) => res.end('a page\n'))
bayeux.attach(server)
server.listen(+process.env.PORT, process.env.HOST)
