// Redirects to where it is told, wholly or to hosts that it knows.
const express = require('express')
const app = express()
const known = ['google.com', 'example.org']

function host(address) {
  try { return new URL(address, 'http://example.org/').hostname } catch { return '' }
}

app.get('/go', (req, res) => res.redirect(req.query.to))
app.get('/checked', (req, res) => known.includes(host(req.query.to)) ? res.redirect(req.query.to) : res.status(403).send('not there\n'))
app.get('/moved', (req, res) => res.redirect(301, req.query.to))
app.get('/back', (req, res) => res.redirect('back'))
app.get('/to/:address', (req, res) => res.redirect(307, req.params.address))
app.get('/location', (req, res) => res.status(201).location(req.query.to).send('made ' + req.query.to + '\n'))
app.get('/nested', (req, res) => res.redirect(req.query.a.b))
app.get('/host', (req, res) => res.redirect('http://' + req.query.name + '/login'))
app.get('/own', (req, res) => res.redirect('http://example.org%5Cown/'))
app.get('/echo', (req, res) => res.json(req.query))
app.get('/', (req, res) => res.send('home\n'))
app.listen(+process.env.PORT, process.env.HOST)
