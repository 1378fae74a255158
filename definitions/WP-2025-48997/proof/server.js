// Takes files and fields in several ways, and tells what it has got. Errors are told in words.
const express = require('express')
const multer = require('multer')

const app = express().disable('etag')
const form = multer({ storage: multer.memoryStorage(), limits: { fields: 9, files: 3 } })
const tell = (req, res) => {
  const files = [].concat(req.file || [], Array.isArray(req.files) ? req.files : Object.values(req.files || {}).flat())
  res.json({ files: files.map(f => [f.fieldname, f.originalname, f.mimetype, f.size]), fields: req.body })
}
app.get('/', (req, res) => res.send('a page\n'))
app.post('/', form.any(), tell)
app.post('/single', form.single('file'), tell)
app.post('/several', form.fields([{ name: 'file', maxCount: 2 }, { name: 'other' }]), tell)
app.post('/none', form.none(), tell)
app.use((err, req, res, next) => res.status(400).send(`error: ${err.code} ${err.message} ${err.field}`))
app.listen(+process.env.PORT, process.env.HOST)
