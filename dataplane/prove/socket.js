// For the scripts of proofs: a WebSocket of the page's, which sends each of the
// messages once the one before is answered (null: it waits for one, and sends
// nothing), and promises what came, and how it ended.
window.socket = (path, messages, protocols) => new Promise((yes) => {
  const came = []
  const w = new WebSocket('ws://' + location.host + path, protocols || [])
  w.binaryType = 'arraybuffer'
  const next = () => {
    const m = messages[0]
    if (messages.length === 0) w.close(1000, 'done')
    else if (m !== null) w.send(m)
  }
  w.onopen = () => { came.push('open ' + w.protocol); next() }
  w.onmessage = ({ data }) => {
    came.push(typeof data === 'string' ? data : 'octets ' + new Uint8Array(data).join(' '))
    messages.shift()
    next()
  }
  w.onerror = () => came.push('error')
  w.onclose = (e) => yes([...came, 'closed', e.code, e.reason, e.wasClean].join('\r\n'))
  setTimeout(() => yes([...came, 'nothing more'].join('\r\n')), 50000)
})
