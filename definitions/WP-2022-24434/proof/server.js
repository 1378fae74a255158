// Takes a file and fields, and tells what it has got. Errors are told in words.
const express = require('express')
const multer = require('multer')

const app = express().disable('etag')
const form = multer({ storage: multer.memoryStorage(), limits: { fields: 9 } }).single('file')
app.get('/', (req, res) => res.send('a page\n'))
app.post('/', form, (req, res) => {
  res.json({ file: req.file && { name: req.file.originalname, type: req.file.mimetype, size: req.file.size }, fields: req.body })
})
app.use((err, req, res, next) => res.status(400).send('error: ' + err.message))
app.listen(+process.env.PORT, process.env.HOST)
