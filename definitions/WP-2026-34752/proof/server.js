// Haraka with a plugin of its own for what a mail server must have: it knows
// where the client comes from, takes all recipients, and keeps no mail. Its last
// reply tells what the server has read of it. `parse_body` is what a plugin
// that looks into attachments sets; here mails for parts@ have it.
const fs = require('fs');
const os = require('os');
const path = require('path');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'haraka'));
const write = (name, text) => {
  fs.mkdirSync(path.dirname(path.join(dir, name)), {recursive: true});
  fs.writeFileSync(path.join(dir, name), text);
};
write('config/smtp.ini', `listen=${process.env.HOST}:${process.env.PORT}\nnodes=0\n`);
const given = fs.readFileSync(path.join(path.dirname(require.resolve('Haraka/package.json')), 'config/connection.ini'), 'utf8');
write('config/connection.ini', given.replace(/^;? *banner_chars *=.*$/m, 'banner_chars=0'));
write('config/log.ini', '[main]\nlevel=CRIT\n');
write('config/me', 'mx.example\n');
write('config/plugins', 'proof\n');
write('plugins/proof.js', `
exports.hook_lookup_rdns = (next) => next(OK, 'client.example');
exports.hook_rcpt = (next, connection, [rcpt]) => {
  if (rcpt.user === 'parts') connection.transaction.parse_body = true;
  next(rcpt.user === 'nobody' ? DENY : OK);
};
const texts = (body) => [body.ct, body.bodytext.trim(), ...body.children.map(texts)];
exports.hook_queue = (next, connection) => {
  const {header, body} = connection.transaction;
  const seen = ['from', 'to', 'subject', 'x-a', 'content-type'].map((name) => header.get_decoded(name));
  next(OK, JSON.stringify([seen, body && texts(body)]));
};
`);
process.argv.push('-c', dir);
require('Haraka/bin/haraka');
