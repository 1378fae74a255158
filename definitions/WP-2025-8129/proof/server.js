// Sends its visitors back to where they came from.
const Koa = require('koa')
const app = new Koa()

app.use((ctx) => {
  if (ctx.path === '/page') ctx.body = 'a page\n'
  else if (ctx.path === '/away') ctx.redirect('http://other.example/')
  else ctx.redirect('back', '/home')
})
app.listen(+process.env.PORT, process.env.HOST)
