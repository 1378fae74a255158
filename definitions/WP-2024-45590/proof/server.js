// Answers the form that it has read, or why it could not.
const http = require('http')
const form = require('body-parser').urlencoded({ extended: true })

http.createServer((req, res) => {
  form(req, res, (err) => {
    res.statusCode = err ? err.status : 200
    res.end(err ? err.message : JSON.stringify(req.body))
  })
}).listen(+process.env.PORT, process.env.HOST)
