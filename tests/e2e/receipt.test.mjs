// The receipt of a finished transcript, computed again by a back end in another language.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Cell, eventually, sharedSimulator } from './support/cell.mjs';
import { Client, run, startRelay, temporaryDirectory } from './support/verbatim.mjs';

const simulator = sharedSimulator();

/** The recipe that docs/merge.md gives, word for word. */
const [, recipe] = /```js\n(.*?)```/s.exec(readFileSync(new URL('../../docs/merge.md', import.meta.url), 'utf8'));
const proves = new Function('createHash', 'transcript', recipe.replace(/^createHash/m, 'return createHash'));

function check(transcript) {
  const { receipt, turns } = transcript;
  assert.ok(proves(createHash, transcript), 'the hash is another');
  const count = (status) => turns.filter((turn) => turn.status === status).length;
  assert.deepEqual({ ...receipt, sha256: '', form: '' }, {
    committed: turns.length,
    with_text: turns.filter(({ text }) => text !== '').length,
    interrupted: count('interrupted'),
    failed: count('failed'),
    tool_calls: transcript.tool_calls.length,
    tool_calls_failed: 0,
    tool_calls_unanswered: 0,
    complete: transcript.complete,
    gaps: transcript.gaps,
    form: '',
    sha256: '',
  });
  for (const change of [{ text: `${turns[0].text}.` }, { status: 'failed' }, { role: 'system' }, { deleted: true }])
    assert.ok(!proves(createHash, { ...transcript, turns: [{ ...turns[0], ...change }, ...turns.slice(1)] }));
  assert.ok(!proves(createHash, { ...transcript, turns: turns.slice(1) }));
  return receipt;
}

const transcript = async (relay, id, query = '') =>
  (await relay.request(`/v1/sessions/${id}/transcript${query}`)).json;

test('a back end in another language proves the receipt, wherever it is shown, copies included [P3][P13]', async (t) => {
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  const received = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    received.push(new Webhook(secret).verify(body, request.headers));
    response.writeHead(204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const file = join(temporaryDirectory(t), 'secret');
  writeFileSync(file, secret);
  const url = `http://127.0.0.1:${server.address().port}/`;
  const relay = await startRelay(t, {
    simulator,
    set: [`webhook.targets=[{url='${url}', secret_file='${file}', allow_private=true}]`, 'webhook.settle=0s'],
  });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Grüße 😀, "is" this\nall\u0000?');
  assert.equal((await transcript(relay, client.id)).receipt, null); // the session has not ended
  assert.ok(!('receipt' in (await relay.request(`/v1/sessions/${client.id}`)).json));
  await client.close();
  const first = await relay.transcript(client.id);
  const receipt = check(first);
  assert.equal(receipt.complete, true);
  const message = (type) => received.find((one) => one.type === type);
  await eventually(() => message('session.ended'), 'the webhook');
  assert.deepEqual(message('session.ended').data.receipt, receipt);
  check(message('session.ended').data.transcript);

  const copy = { writer: 'agent', turns: [...first.turns.map(({ role, text }) => ({ role, text })), { role: 'user', text: 'Bye.' }] };
  await relay.request(`/v1/sessions/${client.id}/transcript`, { method: 'POST', body: copy });
  const after = await transcript(relay, client.id);
  const then = check(after);
  assert.notEqual(then.sha256, receipt.sha256);
  assert.equal(then.committed, receipt.committed + 1);
  await eventually(() => message('transcript.updated'), 'the second webhook');
  assert.deepEqual(message('transcript.updated').data.receipt, then);
  const shown = (await relay.request(`/v1/sessions/${client.id}`)).json;
  assert.deepEqual([shown.receipt, shown.attempts[0].receipt], [then, then]);
  const listed = (await relay.request('/v1/sessions')).json.sessions[0];
  assert.ok(!('receipt' in listed));
  const printed = await run(['sessions', 'show', client.id, '--set', `server.data_dir=${relay.dataDir}`]);
  assert.deepEqual(JSON.parse(printed.stdout).receipt, then);
  // An identical copy, and the same copies in another order, change nothing.
  await relay.request(`/v1/sessions/${client.id}/transcript`, { method: 'POST', body: copy });
  assert.deepEqual((await transcript(relay, client.id)).receipt, then);
});

test('turns that were cut off, talked over or never heard are in the receipt [P5][P13]', async (t) => {
  const cell = await Cell.start(t, simulator);
  const { client, provider } = await cell.wired();
  provider.says('item_1', 'It was');
  await client.event('response.output_text.delta');
  client.reset();
  const ended = cell.relay.transcript(client.id);
  const receipt = check(await cell.meanwhile(ended, 'the end of the session in trouble'));
  assert.deepEqual([receipt.interrupted, receipt.complete], [1, false]);
  await cell.end();
});

test('every attempt of a session is read in one call, in every format', async (t) => {
  const relay = await startRelay(t, { simulator });
  const token = await relay.mint({ user: 'ada', session_id: 'again' });
  const path = '/v1/sessions/again/transcript';
  for (const n of [1, 2, 3]) {
    const client = await Client.connect(t, relay, { token });
    await client.ask(`Attempt ${n}?`);
    await client.close();
    await relay.transcript('again');
  }
  const { json } = await relay.request(`${path}?attempt=all&wait=10`, { key: token });
  assert.equal(json.session_id, 'again');
  for (const n of [1, 2, 3]) {
    assert.deepEqual(json.attempts[n - 1], await transcript(relay, 'again', `?attempt=${n}`));
    check(json.attempts[n - 1]);
  }
  for (const format of ['json', 'jsonl', 'text', 'markdown', 'vtt', 'srt']) {
    const all = await relay.request(`${path}?attempt=all&format=${format}`);
    const one = await relay.request(`${path}?attempt=2&format=${format}`);
    assert.equal(all.type, one.type);
    for (const n of [1, 2, 3]) assert.ok(all.text.replaceAll('\\', '').includes(`Attempt ${n}?`), format);
    assert.ok(!one.text.includes('Attempt 3'), format);
    const again = await relay.request(`${path}?attempt=all&format=${format}`, { headers: { 'if-none-match': all.headers.etag } });
    assert.equal(again.status, 304);
    const exported = await run(['sessions', 'export', 'again', '--attempt', 'all', '--format', format, '--set', `server.data_dir=${relay.dataDir}`]);
    assert.equal(exported.stdout.trimEnd(), all.text.trimEnd());
  }
  const { json: made } = await relay.request('/v1/sessions', { method: 'POST', body: {} });
  assert.deepEqual((await transcript(relay, made.id, '?attempt=all')).attempts, []);
  assert.equal((await relay.request('/v1/sessions/none/transcript?attempt=all')).status, 404);
  assert.equal((await relay.request(`${path}?attempt=some`)).status, 400);
});
