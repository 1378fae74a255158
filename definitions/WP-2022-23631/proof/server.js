// Reads superjson, and writes it again; what cannot be read is refused.
const http = require('http')
const SuperJSON = require('superjson').default

http.createServer((req, res) => {
  let body = ''
  req.on('data', (b) => { body += b })
  req.on('end', () => {
    let text = 'a page'
    try {
      if (body) text = SuperJSON.stringify(SuperJSON.parse(body))
    } catch (err) {
      res.statusCode = 400
      text = 'no superjson'
    }
    res.end(text + '\n')
  })
}).listen(+process.env.PORT, process.env.HOST)
