// A broker that knows CONNECT, SUBSCRIBE, UNSUBSCRIBE, PUBLISH and PINGREQ, in MQTT 3.1.1 and 5, and sends
// what is published back to its sender; built on mqtt-packet as its users are.
const net = require('net');
const mqtt = require('mqtt-packet');

net.createServer((socket) => {
  let protocolVersion = 4;
  const parser = mqtt.parser();
  const send = (packet) => socket.write(mqtt.generate(packet, {protocolVersion}));
  socket.on('error', () => {});
  let over = false;
  parser.on('error', () => { over = true; socket.destroySoon(); }); // what was answered before is still sent
  parser.on('packet', (p) => {
    if (over) return;
    switch (p.cmd) {
      case 'connect':
        protocolVersion = p.protocolVersion;
        return send({cmd: 'connack', returnCode: 0, reasonCode: 0, sessionPresent: false});
      case 'subscribe': return send({cmd: 'suback', messageId: p.messageId, granted: p.subscriptions.map((s) => s.qos)});
      case 'unsubscribe': return send({cmd: 'unsuback', messageId: p.messageId, granted: p.unsubscriptions.map(() => 0)});
      case 'pingreq': return send({cmd: 'pingresp'});
      case 'publish':
        if (p.qos === 1 && p.messageId > 0) send({cmd: 'puback', messageId: p.messageId, reasonCode: 0});
        return send({cmd: 'publish', topic: p.topic, payload: p.payload, qos: 0});
      case 'disconnect': return socket.end();
    }
  });
  socket.on('data', (d) => { if (!over) parser.parse(d); });
}).listen(Number(process.env.PORT), process.env.HOST);
