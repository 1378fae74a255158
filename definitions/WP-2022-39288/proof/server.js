// Answers the body that it has read.
const app = require('fastify')()

app.post('/', async (req) => ({ got: req.body }))
app.delete('/', async (req) => ({ deleted: req.body }))
app.get('/', async () => 'hello\n')
app.listen({ port: +process.env.PORT, host: process.env.HOST })
