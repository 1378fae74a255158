// A form that only its own pages may send.
const { serve } = require('@hono/node-server')
const { Hono } = require('hono')
const { csrf } = require('hono/csrf')
const app = new Hono()

app.use(csrf())
app.get('/', (c) => c.text('a form\n'))
app.post('/', async (c) => c.text('changed: ' + (await c.req.text()) + ' ' + c.req.header('content-type') + '\n'))
app.delete('/', (c) => c.text('deleted\n'))
serve({ fetch: app.fetch, port: +process.env.PORT, hostname: process.env.HOST })
