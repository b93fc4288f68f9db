// A relay as applications usually write it: JSON.parse for each event, and the transcript in memory. With
// --sqlite FILE, an insert for each event with text, with SQLite's usual settings for a server (WAL,
// synchronous=NORMAL: weaker than Verbatim's promise).
//
//   node node_relay.mjs --port P --provider wss://... --cert PEM --key PEM [--sqlite FILE]
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { parseArgs } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    provider: { type: 'string' },
    cert: { type: 'string' },
    key: { type: 'string' },
    sqlite: { type: 'string' },
  },
});

let insert = () => {};
if (values.sqlite) {
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(values.sqlite);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.exec('CREATE TABLE events (session TEXT, at INTEGER, item TEXT, text TEXT)');
  const statement = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?)');
  insert = (...row) => statement.run(...row);
}

const server = createServer({ cert: readFileSync(values.cert), key: readFileSync(values.key) });
const clients = new WebSocketServer({ server, perMessageDeflate: false });

clients.on('connection', (client, request) => {
  const session = new URL(request.url, 'https://localhost').searchParams.get('session');
  const provider = new WebSocket(values.provider, { rejectUnauthorized: false, perMessageDeflate: false });
  const transcript = new Map(); // by item id
  const early = [];
  client.on('message', (data) => {
    JSON.parse(data);
    if (provider.readyState === WebSocket.OPEN) provider.send(data.toString());
    else early.push(data.toString());
  });
  provider.on('open', () => early.splice(0).forEach((event) => provider.send(event)));
  provider.on('message', (data) => {
    const event = JSON.parse(data);
    const text = event.type.includes('transcript') && (event.delta ?? event.transcript);
    if (text) {
      transcript.set(event.item_id, (event.delta ? (transcript.get(event.item_id) ?? '') : '') + text);
      insert(session, Date.now(), event.item_id, text);
    }
    client.send(data.toString());
  });
  client.on('close', () => provider.close());
  provider.on('close', () => client.close());
  client.on('error', () => provider.terminate());
  provider.on('error', () => client.terminate());
});
server.listen(Number(values.port), '127.0.0.1');
