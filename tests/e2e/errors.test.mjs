// Errors on either side and at start: the message says what happened, and only the session concerned ends.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { closeSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { test } from 'node:test';
import { Client, run, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

const start = async (t, set = []) => startRelay(t, { simulator: await startSimulator(t), set });

test('a broken or unknown event is answered and the conversation goes on', async (t) => {
  const relay = await start(t);
  const client = await Client.connect(t, relay);
  await client.event('session.created');
  for (const bad of ['{"type":', '[]', '{"no":"type"}', '{"type":"no.such.event"}']) {
    const from = client.events.length;
    client.send(bad);
    const { error } = await client.event('error', from);
    assert.equal(error.type, 'invalid_request_error');
    assert.ok(error.message);
  }
  await client.ask('Still there?');
});

test('frames that no client may send end its connection with the right code [P11]', async (t) => {
  const relay = await start(t, ['session.client_message_bytes_max=64KiB']);
  const large = await Client.connect(t, relay);
  await large.event('session.created');
  large.send({ type: 'input_audio_buffer.append', audio: 'A'.repeat(200_000) });
  assert.equal((await large.closed).code, 1009);

  const other = await Client.connect(t, relay);
  await other.ask('Does anyone else notice?');
});

test('an unreachable provider is reported and recorded [P2]', async (t) => {
  const unused = createServer().listen(0, '127.0.0.1');
  await once(unused, 'listening');
  const { port } = unused.address();
  unused.close();
  await once(unused, 'close');
  const relay = await startRelay(t, {
    set: [`upstream.url=ws://127.0.0.1:${port}/v1/realtime`, 'upstream.connect_timeout=1s'],
  });
  const client = await Client.connectWithId(t, relay);
  await client.event('error');
  assert.equal((await client.closed).code, 1011);
  const session = await relay.transcript(client.id);
  assert.equal(session.status, 'final');
  assert.ok(['upstream_lost', 'upstream_error'].includes(session.close_reason));
});

test("if the provider refuses, the client gets status and code, not the provider's text [P10]", async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay, { query: { model: 'gpt-realtime+no_such_fault' } });
  assert.equal((await client.closed).code, 1011);
  const { error } = client.events.find(({ type }) => type === 'error');
  assert.equal(error.code, 'upstream_error');
  assert.equal(error.message, 'the provider refused the connection (HTTP status 400, code invalid_model)');
  assert.equal((await relay.transcript(client.id)).close_reason, 'upstream_error');
});

test('a provider that vanishes leaves the words that came [P2]', async (t) => {
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, { simulator });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Hello?');
  await simulator.program.stop('SIGKILL');
  assert.equal((await client.closed).code, 1011);
  const transcript = await relay.transcript(client.id);
  assert.equal(transcript.close_reason, 'upstream_lost');
  assert.equal(transcript.turns.length, 2);
});

test('a bad configuration ends with 2 and names key and place', async (t) => {
  const unknown = await run(['serve', '--set', 'session.idle_timout=1m']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /session\.idle_timout.*session\.idle_timeout/s);
  const file = join(temporaryDirectory(t), 'bad.toml');
  writeFileSync(file, '[server]\nthreads = "many"\n');
  const bad = await run(['check', '--config', file]);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /bad\.toml:2: server\.threads/);
  const secret = await run(['check', '--set', 'upstream.api_key=sk-planted-secret']);
  assert.equal(secret.code, 2);
  assert.ok(!secret.stderr.includes('sk-planted-secret'));
  assert.equal((await run(['no-such-command'])).code, 2);
});

test('check prints the effective configuration and no secret [P10]', async () => {
  const env = { VERBATIM_UPSTREAM_API_KEY: 'sk-planted-secret' };
  const checked = await run(['check', '--json'], { env });
  assert.equal(checked.code, 0, checked.stderr);
  assert.equal(JSON.parse(checked.stdout).session.idle_timeout, '10m');
  assert.ok(!checked.stdout.includes('sk-planted-secret'));
});

test('any address but loopback requires authentication', async (t) => {
  const open = await run([
    'serve',
    ...['--set', 'server.listen=0.0.0.0:0'],
    ...['--set', `server.data_dir=${temporaryDirectory(t)}`],
  ]);
  assert.equal(open.code, 2);
  assert.match(open.stderr, /auth/);
});

test('a port that is taken ends with 1 and names it', async (t) => {
  const relay = await start(t);
  const { port } = new URL(relay.url);
  const second = await run([
    'serve',
    ...['--set', `server.listen=127.0.0.1:${port}`],
    ...['--set', `server.data_dir=${temporaryDirectory(t)}`],
  ]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, new RegExp(`127\\.0\\.0\\.1:${port}`));
});

test('a data directory that cannot be written ends with 1 and names it', async (t) => {
  // A file in the way also stops root, which permissions would not.
  const directory = join(temporaryDirectory(t), 'data');
  writeFileSync(directory, '');
  const refused = await run([
    'serve',
    ...['--set', 'server.listen=127.0.0.1:0'],
    ...['--set', `server.data_dir=${directory}`],
  ]);
  assert.equal(refused.code, 1);
  assert.ok(refused.stderr.includes(directory));
});

test('two servers on one data directory: the second ends with 1', async (t) => {
  const relay = await start(t);
  const second = await run([
    'serve',
    ...['--set', 'server.listen=127.0.0.1:0'],
    ...['--set', `server.data_dir=${relay.dataDir}`],
  ]);
  assert.equal(second.code, 1);
  await (await Client.connect(t, relay)).ask('Still there?');
});

test('a database of a newer version is left alone and the start ends with 1', async (t) => {
  const dataDir = temporaryDirectory(t);
  const relay = await startRelay(t, { simulator: await startSimulator(t), dataDir });
  await relay.program.stop();
  const database = readdirSync(dataDir).find((name) => name.endsWith('.db'));
  assert.ok(database, 'no database in the data directory');
  // Byte 60 of the file holds the version of the schema.
  const file = openSync(join(dataDir, database), 'r+');
  writeSync(file, Buffer.from([0x7f, 0xff, 0xff, 0xff]), 0, 4, 60);
  closeSync(file);
  const refused = await run([
    'serve',
    ...['--set', 'server.listen=127.0.0.1:0'],
    ...['--set', `server.data_dir=${dataDir}`],
  ]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /newer|version/);
});
