// Serves the folder "files" with serve-static.
const http = require('http')
const path = require('path')
const serve = require('serve-static')(path.join(__dirname, 'files'))

http.createServer((req, res) => {
  serve(req, res, () => {
    res.statusCode = 404
    res.end('no such page\n')
  })
}).listen(+process.env.PORT, process.env.HOST)
