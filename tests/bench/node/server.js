// The peer of make bench-shim: a terminal server as one would write it with the packages ws and node-pty. With CAREFUL=1
// it minds backpressure: the terminal is paused while the socket holds more than a mark.
const { WebSocketServer } = require('ws');
const pty = require('node-pty');

const careful = process.env.CAREFUL === '1';
const high = 1 << 20;
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });

server.on('listening', () => console.log(server.address().port));
server.on('connection', (ws) => {
  const [file, ...args] = process.argv.slice(2);
  const shell = pty.spawn(file, args, { name: 'xterm-256color', cols: 80, rows: 24, encoding: null });
  shell.onData((data) => {
    ws.send(data, () => {
      if (careful && ws.bufferedAmount < high / 2) shell.resume();
    });
    if (careful && ws.bufferedAmount > high) shell.pause();
  });
  shell.onExit(() => ws.close());
  ws.on('message', (data) => shell.write(data.toString()));
  ws.on('error', () => {});
  ws.on('close', () => shell.kill());
});
