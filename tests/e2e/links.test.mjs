// Peers that vanish, stall or send nothing: each ends its own session, with the right reason.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  makeKey,
  startRelay,
  startSimulator,
  temporaryDirectory,
} from './support/verbatim.mjs';

const quick = ['session.ping_interval=200ms', 'session.transcription_grace=0ms'];

test('a client that answers no ping is found and its words are kept [P2]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: quick });
  const client = await Client.connectWithId(t, relay, { socket: { autoPong: false } });
  await client.ask('Are you there?');
  const transcript = await relay.transcript(client.id);
  assert.equal(transcript.close_reason, 'client_lost');
  assert.equal(transcript.turns.length, 2);
});

test('a client that answers pings is not lost, however long it is silent', async (t) => {
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, 'session.idle_timeout=1500ms'],
  });
  const client = await Client.connectWithId(t, relay);
  const transcript = await relay.transcript(client.id);
  assert.equal(transcript.close_reason, 'idle_timeout');
});

test('a provider whose machine hangs is detected [P2]', async (t) => {
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, { simulator, set: quick });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Before?');
  process.kill(simulator.program.pid, 'SIGSTOP');
  const { code } = await client.closed;
  assert.equal(code, 1011);
  assert.ok(client.events.some(({ error }) => error?.code === 'upstream_lost'));
  const transcript = await relay.transcript(client.id);
  assert.equal(transcript.close_reason, 'upstream_lost');
  assert.equal(transcript.turns.length, 2);
});

test('after a pause of its process the relay does not take live peers for lost', async (t) => {
  const set = ['session.ping_interval=500ms'];
  const relay = await startRelay(t, { simulator: await startSimulator(t), set });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Before?');
  process.kill(relay.program.pid, 'SIGSTOP');
  await sleep(1200); // both would have answered a ping meanwhile
  process.kill(relay.program.pid, 'SIGCONT');
  await client.ask('After?');
  await client.close();
  assert.equal((await relay.transcript(client.id)).turns.length, 4);
});

test('a provider that accepts and sends nothing is given up [P11]', async (t) => {
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: ['upstream.created_timeout=300ms'],
  });
  const client = await Client.connectWithId(t, relay, { query: { model: 'gpt-realtime+silent' } });
  assert.equal((await client.closed).code, 1011);
  assert.equal((await relay.transcript(client.id)).close_reason, 'upstream_lost');
});

test('how the provider ends a session decides its reason [P2]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  for (const [fault, reason, code] of [
    ['drop_after=1', 'upstream_lost', 1011],
    ['close_after=1:1000:bye', 'upstream_closed', 1000],
    ['close_after=1:1011:oops', 'upstream_error', 1011],
    ['error_first=invalid_model', 'upstream_error', 1011],
    ['expire_after=1', 'session_expired', 4001],
  ]) {
    const client = await Client.connectWithId(t, relay, { query: { model: `gpt-realtime+${fault}` } });
    assert.equal((await client.closed).code, code, fault);
    const transcript = await relay.transcript(client.id);
    assert.equal(transcript.close_reason, reason, fault);
  }
});

test('messages of a client before the upstream connection exists are not lost', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay);
  // Sent at once, while the relay still connects to the provider.
  client.send({ type: 'conversation.item.create', item: {
    type: 'message', role: 'user', content: [{ type: 'input_text', text: 'First of all.' }] } });
  client.send({ type: 'response.create' });
  await client.event('response.done');
  await client.close();
  assert.equal((await relay.transcript(client.id)).turns[0].text, 'First of all.');
});

test('SIGHUP puts new keys in force and leaves the conversations of those that stay alone', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'verbatim.toml');
  const [stays, before, after] = [makeKey(), makeKey(), makeKey()];
  const write = (key) => writeFileSync(file, `[auth]\napi_keys = ["${stays.hash}", "${key.hash}"]\n`);
  write(before);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t), key: stays, config: file });
  const client = await Client.connectWithId(t, relay);
  write(after);
  process.kill(relay.program.pid, 'SIGHUP');
  await relay.program.logged('server.reloaded');
  assert.equal((await relay.request('/v1/sessions', { key: before.key })).status, 401);
  assert.equal((await relay.request('/v1/sessions', { key: after.key })).status, 200);
  await client.ask('Still there?');
});

test('SIGHUP without a key left keeps the keys of before, and opens no development mode', async (t) => {
  const file = join(temporaryDirectory(t), 'verbatim.toml');
  const key = makeKey();
  writeFileSync(file, `[auth]\napi_keys = ["${key.hash}"]\n`);
  const relay = await startRelay(t, { simulator: await startSimulator(t), key, config: file });
  writeFileSync(file, '[auth]\napi_keys = []\n');
  process.kill(relay.program.pid, 'SIGHUP');
  await relay.program.logged('server.not_reloaded');
  assert.equal((await relay.request('/v1/sessions', { key: undefined })).status, 401);
  assert.equal((await relay.request('/v1/sessions', { key: key.key })).status, 200);
});

test('a client that does not read delays no other on its thread, and is ended as slow [P2][P11]', async (t) => {
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: ['server.threads=1', 'session.client_queue_bytes_max=4KiB', 'session.slow_client_timeout=1s', 'session.close_timeout=1s'],
  });
  const sleeper = await Client.connectWithId(t, relay);
  const bystander = await Client.connectWithId(t, relay);
  sleeper.socket.pause();
  // Its answers, as audio, are far more than the kernel's buffers hold.
  for (let i = 0; i < 20; ++i) {
    sleeper.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'x'.repeat(5000) }] },
    });
    sleeper.send({ type: 'response.create' });
  }
  let final;
  const ended = relay.transcript(sleeper.id).then((transcript) => (final = transcript));
  let answered = 0;
  do {
    await bystander.ask(`Question ${answered++}?`);
  } while (!final);
  await ended;
  assert.equal(final.close_reason, 'slow_client');
  await bystander.close();
  assert.equal((await relay.transcript(bystander.id)).turns.length, 2 * answered);
});
