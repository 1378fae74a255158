// Shows what it has read from query and body.
const express = require('express')
const app = express()

app.get('/', (req, res) => res.send('a=' + req.query.a + ' b=' + JSON.stringify(req.query.b) + '\n'))
app.get('/all', (req, res) => res.json(req.query))
app.post('/', express.urlencoded({ extended: true }), (req, res) => res.send('a=' + req.body.a + ' b=' + JSON.stringify(req.body.b) + '\n'))
app.use((err, req, res, next) => res.status(err.status || 500).send('error\n'))
app.listen(+process.env.PORT, process.env.HOST)
