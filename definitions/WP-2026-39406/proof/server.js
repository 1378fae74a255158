// Serves files, of which those of a folder are for some only, and says back what one of its routes was asked for.
const { serve } = require('@hono/node-server')
const { serveStatic } = require('@hono/node-server/serve-static')
const { Hono } = require('hono')

const app = new Hono()
app.use('/admin/*', async (c, next) => c.req.header('Authorization') === 'Bearer x' ? next() : c.text('sign in\n', 401))
app.all('/api/*', (c) => c.text(`${c.req.method} ${c.req.path} ${c.req.query('q')}\n`))
app.use('/*', serveStatic({ root: './files' }))
serve({ fetch: app.fetch, port: +process.env.PORT, hostname: process.env.HOST })
