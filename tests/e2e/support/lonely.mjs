// A client in a process of its own, which a test stops: asks once, prints its session's id, and stays.
//
//   node support/lonely.mjs URL TOKEN
import WebSocket from 'ws';

const [url, token] = process.argv.slice(2);
const socket = new WebSocket(`${url}?events=verbatim`, {
  rejectUnauthorized: false,
  headers: { authorization: `Bearer ${token}` },
});
let id;
socket.on('message', (data) => {
  const event = JSON.parse(data);
  if (event.type === 'verbatim.session') id = event.session_id;
  if (event.type === 'response.done') console.log(id);
});
socket.on('open', () => {
  const content = [{ type: 'input_text', text: 'Before?' }];
  socket.send(JSON.stringify({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } }));
  socket.send(JSON.stringify({ type: 'response.create' }));
});
