// Takes users, whose role is checked by a schema for each media type.
const app = require('fastify')()

const schema = {
  body: {
    content: {
      'application/json': {
        schema: { type: 'object', required: ['role'], properties: { role: { type: 'string', const: 'user' } } }
      },
      'text/plain': { schema: { type: 'string', maxLength: 10 } }
    }
  }
}
app.post('/', { schema }, async (req) => ({ got: req.body }))
app.post('/free', async (req) => ({ free: req.body }))
app.get('/', async () => 'hello\n')
app.listen({ port: +process.env.PORT, host: process.env.HOST })
