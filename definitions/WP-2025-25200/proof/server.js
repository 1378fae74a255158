// Tells what it believes of the proxy in front of it.
const Koa = require('koa')
const app = new Koa()

app.proxy = true
app.use((ctx) => {
  ctx.body = `${ctx.protocol} ${ctx.host} ${ctx.hostname} ${ctx.ips.join(' ')} ${ctx.secure} ${ctx.method}
${ctx.origin} ${ctx.href}\n`
})
app.listen(+process.env.PORT, process.env.HOST)
