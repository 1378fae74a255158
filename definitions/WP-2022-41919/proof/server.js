// Answers what it has read from the body.
const app = require('fastify')()

app.post('/', async (req) => ({ got: req.body }))
app.put('/', async (req) => ({ put: req.body }))
app.get('/', async () => 'hello\n')
app.listen({ port: +process.env.PORT, host: process.env.HOST })
