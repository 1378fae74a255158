// ftp-srv over an empty folder. It takes what one read brings for whole commands,
// and does not wait for those of the read before; here a command may come in
// pieces, and they are done in their order, so that the proof can cut them anywhere.
const fs = require('fs');
const os = require('os');
const path = require('path');
const Server = require('ftp-srv');
const Connection = require('ftp-srv/src/connection');

const handle = Connection.prototype._handleData;
Connection.prototype._handleData = function (data) {
  const all = (this.left || '') + data.toString('latin1');
  const end = all.lastIndexOf('\r\n');
  this.left = all.slice(end < 0 ? 0 : end + 2);
  if (end < 0) return;
  const commands = Buffer.from(all.slice(0, end + 2), 'latin1');
  this.done = Promise.resolve(this.done).then(() => handle.call(this, commands)).catch(() => {});
};

const quiet = {child() { return quiet; }, info() {}, debug() {}, trace() {}, warn() {}, error() {}};
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ftp'));
fs.writeFileSync(path.join(root, 'file'), 'text');
fs.mkdirSync(path.join(root, 'sub'));
const server = new Server({
  url: `ftp://${process.env.HOST}:${process.env.PORT}`, pasv_url: process.env.HOST, pasv_min: 20000, pasv_max: 21000, anonymous: true, log: quiet,
});
server.on('client-error', () => {});
server.on('login', ({username}, resolve, reject) => username === 'nobody' ? reject(new Error('no')) : resolve({root}));
server.listen();
