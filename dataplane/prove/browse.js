// What the browser does for a request of a proof: the same by fetch, by
// XMLHttpRequest, and by a form where one can say it. Gives all that a page sees of
// the answers, "" where a browser cannot send the request as it is.
async (r) => {
  const to = new URL(r.target, location)
  if (to.pathname + to.search !== r.target || to.host !== location.host) return ''
  const body = r.body && Uint8Array.from(atob(r.body), (c) => c.charCodeAt(0))
  const latin = (b) => Array.from(new Uint8Array(b), (c) => String.fromCharCode(c)).join('')
  const limit = (what) => Promise.race([what, new Promise((_, no) => setTimeout(no, 50000, 'nothing comes'))])
  const head = (status, text, url, headers) =>
    [status, text, new URL(url).pathname, '\r\n'].join(' ') + headers + '\r\n'

  const fetched = async () => {
    const a = await fetch(r.target, { method: r.method, headers: r.headers, body, cache: 'no-store' })
    const text = latin(await a.arrayBuffer())
    return head(a.status, a.statusText, a.url, Array.from(a.headers, ([k, v]) => k + ': ' + v + '\r\n').join('')) + text
  }
  const xhr = () => new Promise((yes) => {
    const x = new XMLHttpRequest()
    x.open(r.method, r.target)
    x.responseType = 'arraybuffer'
    for (const [k, v] of r.headers) x.setRequestHeader(k, v)
    x.onloadend = () => yes(x.status === 0 ? 'no answer' : head(x.status, x.statusText, x.responseURL, x.getAllResponseHeaders()) + latin(x.response))
    x.send(body)
  })
  // A page that is shown in a frame: what it says there.
  const form = (pairs) => new Promise((yes) => {
    const frame = document.createElement('iframe')
    frame.name = 'shown'
    document.body.append(frame)
    const f = document.createElement('form')
    Object.assign(f, { method: r.method, action: r.method === 'GET' ? to.pathname : r.target, target: 'shown' })
    for (const [name, value] of pairs) f.append(Object.assign(document.createElement('input'), { name, value }))
    document.body.append(f)
    const gone = () => { frame.remove(); f.remove() }
    setTimeout(gone, 50000)
    frame.onload = () => {
      if (frame.contentWindow.location.href === 'about:blank') return
      yes(frame.contentDocument.contentType + ' ' + frame.contentDocument.documentElement.outerHTML)
      gone()
    }
    f.submit()
  })

  const said = []
  const by = async (name, what) => said.push(name + ': ' + await limit(what()).catch((e) => String(e)))
  await by('fetch', fetched)
  await by('XMLHttpRequest', xhr)
  const top = said[0].split('\r\n\r\n')[0]
  const shown = /^fetch: 200 [^]*\ncontent-type: (text|application\/json)/.test(top) && !/\ncontent-disposition:/.test(top) // not a file to keep
  const pairs = new URLSearchParams(r.form)
  if (r.form && shown && pairs.toString() === r.form) await by('a form', () => form(pairs))
  return said.join('\r\n')
}
