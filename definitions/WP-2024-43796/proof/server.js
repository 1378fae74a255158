// Redirects to where it is told.
const express = require('express')
const app = express()

app.get('/go', (req, res) => res.redirect(req.query.to))
app.get('/moved', (req, res) => res.redirect(301, '/new?a=1&b=2'))
app.post('/go', express.urlencoded({ extended: true }), (req, res) => res.redirect(303, req.body.to))
app.get('/link', (req, res) => res.send('<p>Found. Redirecting to <a href="/x">/x</a></p>'))
app.get('/', (req, res) => res.send('home\n'))
app.listen(+process.env.PORT, process.env.HOST)
