// Makes seeds for the fuzz targets: node seeds.mjs DIRECTORY writes DIRECTORY/TARGET/seeds/*, from
// tests/recordings, config/verbatim.toml and a few lines below; the same every time.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const recordings = fileURLToPath(new URL('../recordings', import.meta.url));
const example = fileURLToPath(new URL('../../config/verbatim.toml', import.meta.url));
const directory = process.argv[2];

function write(target, seed) {
  const folder = join(directory, target, 'seeds');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, createHash('sha1').update(seed).digest('hex').slice(0, 16)), seed);
}

// Whole conversations, without the long audio lines.
const messages = new Map();
for (const name of readdirSync(recordings).filter((file) => file.endsWith('.jsonl'))) {
  const lines = readFileSync(join(recordings, name), 'utf8')
    .split('\n')
    .filter((line) => line && line.length < 4096);
  for (const target of ['events', 'recording']) write(target, lines.slice(0, 60).join('\n'));
  for (const line of lines) {
    const event = line.slice(line.indexOf('"event":') + '"event":'.length, -1);
    const type = /"type":"([^"]+)"/.exec(event)?.[1];
    if (type && !messages.has(type)) messages.set(type, event);
  }
}
// One message of each type.
for (const event of messages.values())
  for (const target of ['client_message', 'policy', 'dialect', 'event_peek', 'json_view', 'events']) write(target, event);

// Errors, and messages that may be read as errors, with the key that the target hides.
for (const frame of [
  '{"type":"error","event_id":"e","error":{"type":"x","code":null,"message":"bad key: sk-4"}}',
  '{"type":"response.done","delta":"AAAA","type":"error","m":"s\\u006b-4"}',
  '{"t\\u0079pe":"Err\\u006fr","sk-4":["sk-4"]}',
  '{"type":"x","error":{"message":"sk-4"}} ',
  '{"type":"response.done","m":"sk-4"}',
  '[{"type":"error"},"sk-4"]',
  'sk-4',
])
  write('secret_filter', frame);

// Frames of both ends: short, with a longer length, in parts, and control frames. The first byte
// says whose they are and where they are cut.
for (const [first, ...frames] of [
  [6, '\x81\x02{}', '\x89\x01p', '\x88\x02\x03\xe8'],
  [6, `\x81\x7e\x01\x00${'a'.repeat(256)}`],
  [7, '\x01\x81\0\0\0\0a', '\x8a\x80\0\0\0\0', '\x80\x81\0\0\0\0b'],
  [7, '\x82\x83\x01\x02\x03\x04abc'],
])
  write('ws_frame', Buffer.from(String.fromCharCode(first) + frames.join(''), 'latin1'));

// Configurations: by the first byte --set, the environment, or a file.
for (const section of readFileSync(example, 'utf8').split(/^\[/m).slice(1)) {
  const lines = section.split('\n').filter((line) => line && !line.startsWith('#'));
  const name = lines[0].slice(0, -1);
  write('configuration', `\x02[${lines.join('\n')}`);
  for (const line of lines.slice(1)) {
    const [, key, value] = /^(\w+) = "?(.*?)"?$/.exec(line);
    write('configuration', `\x00${name}.${key}=${value}`);
    write('configuration', `\x01${name.toUpperCase()}_${key.toUpperCase()}=${value}`);
  }
}

// Changes that a client may not make, in disguise.
for (const event of [
  { type: 'session.update', session: { instructions: 'Be kind.', audio: { output: { voice: 'marin' } }, model: 'gpt-realtime' } },
  { type: 'session.update', session: { Instructions: 'x', voice: 'x', prompt: { id: 'p', variables: {} } } },
  { type: 'session.update', Session: [{ instructions: 'x' }], session: '{"instructions":"x"}' },
  { type: 'response.create', response: { input: [{ role: 'System', content: [] }], Input: [], metadata: { a: '1' } } },
  { type: 'conversation.item.create', previous_item_id: 'root', item: { type: 'message', Role: 'developer', role: 'user' } },
  { type: 'session.update', event: { session: { audio: { voice: 'x' }, output: 'x' } }, session: { session: { instructions: 'x' } } },
  { type: 'conversation.item.create', items: [{ role: 'system' }], item: { content: [{ type: 'system', text: 'x' }] } },
  { type: 'input_audio_buffer.append', audio: 'AAAA', event_id: 'e', x: { a: [{ voice: 'x' }] } },
])
  write('policy', JSON.stringify(event));

// By the first byte: a credential, a payload to sign, or claims to mint and spoil.
write('client_token', `\x00ek_eyJ2IjoxfQ.${'A'.repeat(43)}`);
write('client_token', '\x01{"v":1,"id":"cs_1","user":"ann","session":"s","exp":1795470651,"open":true}');
write('client_token', '\x01{"v":1,"id":"","user":"","session":"","exp":-1,"meta":{"a":"7"},"model":"m"}');
write('client_token', `cs_1\\\\ann\\\\s\\\\m\\\\{"course":"7"}${'\x07'.repeat(20)}\x02`);

write(
  'http_request',
  '/v1/realtime/client_secrets\n' +
    JSON.stringify({
      session: JSON.parse(messages.get('session.update')).session,
      expires_after: { anchor: 'created_at', seconds: 600 },
      verbatim: { user: 'ann', session_id: 'sess_1', metadata: { course: '7' } },
    }),
);
for (const target of [
  '/v1/sessions?status=final&user=J%C3%B6rg+K&since=2026-11-23T21:50:51.123Z&until=1795470651',
  '/v1/sessions?limit=50&cursor=abc&metadata.course=7',
  '/v1/sessions/sess_1/transcript?attempt=2&format=markdown&wait=30',
])
  write('http_request', `${target}\n{}`);

// Requests; the first byte sets the size of the pieces.
for (const [n, head, body = ''] of [
  [0, 'GET /v1/sessions?limit=1 HTTP/1.1\r\nHost: relay:8443\r\nIf-None-Match: "a"\r\nif-none-match: "b"'],
  [1, 'POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue', '{}GET / HTTP/1.1'],
  [2, 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked', '2;a="b"\r\n{}\r\n0\r\nTrailer: 1\r\n\r\nGET /'],
  [3, 'OPTIONS http://user@host:1/ HTTP/1.1\r\nHost: [::1]:80\r\nX: a\r\n b\r\nContent-Encoding: gzip'],
  [4, 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nContent-Length: 3', 'abc'],
  [5, 'OPTIONS * HTTP/1.0\r\nConnection: keep-alive'],
  [6, 'GET https://x/v1/realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: a, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
])
  write('http_framing', `${String.fromCharCode(n)}${head}\r\n\r\n${body}`);

const handshake = 'Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n';
const bearer = 'Authorization: Bearer TOKEN\n';
const protocol = 'Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.TOKEN, verbatim.v1\n';
write('upgrade_request', `/v1/realtime?model=gpt-realtime\n${handshake}${bearer}`);
write('upgrade_request', `/v1/realtime?intent=transcription\n${handshake}${bearer}`);
write('upgrade_request', `/v1/realtime?api-version=1\n${handshake}api-key: TOKEN\n`);
write('upgrade_request', `/v1/realtime/\n${handshake.replaceAll('=', '-')}${bearer.replace(' T', '   T')}`);
write('upgrade_request', `/v1/realtime?call_id=1&session=other\n${handshake}${bearer}`);
write(
  'upgrade_request',
  `/v1/realtime?session=sess_1&events=verbatim\n${protocol}${handshake}Origin: https://a.test\n`,
);

for (const body of [
  {
    ...{ writer: 'agent', attempt: 1 },
    turns: [
      { role: 'user', text: 'J\u00f6rg?', item_id: 'item_1', ordinal: 1, status: 'completed' },
      { role: 'bot', content: 'Yes.', itemId: 'item_2', turnOrder: 2, status: 'interrupted' },
      { role: 'system', text: '', started_at: '2026-11-23T21:50:51.123Z', ended_at: 1795470651 },
    ],
  },
  { role: 'human', content: 'One turn alone.', turnOrder: 0, attemptNumber: 2 },
  [{ role: 'developer', text: 'A list.' }],
  { session_id: 'sess_1', user: 'ann', metadata: { course: '7', deep: { a: [1, null] } } },
])
  write('posted_copy', JSON.stringify(body));
