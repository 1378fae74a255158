// A name server that has an address for every name and mail exchangers for those that end with "mail";
// built on dns-packet as its users are.
const dgram = require('dgram');
const packet = require('dns-packet');

const server = dgram.createSocket('udp4');
server.on('message', (message, peer) => {
  let query;
  try { query = packet.decode(message); } catch (e) { return; }
  if (query.type !== 'query') return;
  const answers = [];
  for (const {name, type} of query.questions) {
    if (type === 'A') answers.push({name, type, ttl: 60, data: '192.0.2.1'});
    if (type === 'AAAA') answers.push({name, type, ttl: 60, data: '2001:db8::1'});
    if (type === 'TXT') answers.push({name, type, ttl: 60, data: ['a text', 'another']});
    if (type === 'MX' && name.endsWith('mail')) answers.push({name, type, ttl: 60, data: {preference: 10, exchange: 'mx.example'}});
  }
  const additionals = query.additionals.filter((a) => a.type === 'OPT').map(() => ({name: '.', type: 'OPT', udpPayloadSize: 1232, flags: 0, options: []}));
  server.send(packet.encode({type: 'response', id: query.id, flags: packet.AUTHORITATIVE_ANSWER | query.flags & packet.RECURSION_DESIRED,
    questions: query.questions, answers, additionals}), peer.port, peer.address);
});
server.bind(Number(process.env.PORT), process.env.HOST);
