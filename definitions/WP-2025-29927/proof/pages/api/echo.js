// Tells what it has got.
export default function handler(req, res) {
  res.status(200).json({ method: req.method, query: req.query, body: req.body, seen: req.headers['x-middleware-subrequest'] || null })
}
