// Serves the folder "files" with st; what st does not take is not found.
const http = require('http')
const path = require('path')
const mount = require('st')({ path: path.join(__dirname, 'files'), url: '/' })

http.createServer((req, res) => {
  if (mount(req, res)) return
  res.statusCode = 404
  res.end('no such page\n')
}).listen(+process.env.PORT, process.env.HOST)
