// Takes forms in several ways, and tells what it has got. Errors are told in words.
const express = require('express')
const multer = require('multer')

const app = express().disable('etag')
const storage = multer.memoryStorage()
const form = multer({ storage, limits: { fields: 9, files: 3, fieldNameSize: 20 } })
const images = multer({ storage, fileFilter: (req, file, cb) => cb(null, file.mimetype.startsWith('image/')) })
const later = multer({ storage, fileFilter: (req, file, cb) => setTimeout(cb, 20, null, file.originalname !== 'no') })
const disk = multer({ dest: 'uploads/' })
const tell = (req, res) => {
  const files = [].concat(req.file || [], Array.isArray(req.files) ? req.files : Object.values(req.files || {}).flat())
  res.json({ files: files.map(f => [f.fieldname, f.originalname, f.mimetype, f.size]), fields: req.body })
}
app.get('/', (req, res) => res.send('a page\n'))
app.post('/', form.any(), tell)
app.post('/single', form.single('file'), tell)
app.post('/none', form.none(), tell)
app.post('/images', images.any(), tell)
app.post('/later', later.any(), tell)
app.post('/disk', disk.any(), tell)
app.use((err, req, res, next) => res.status(400).send(`error: ${err.code} ${err.message} ${err.field}`))
app.listen(+process.env.PORT, process.env.HOST)
