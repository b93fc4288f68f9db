// Commands that act through a running relay: sessions end, tokens, retention; and the search of stored sessions.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { Client, makeKey, run, startRelay, startSimulator, temporaryDirectory, within } from './support/verbatim.mjs';

/** A command at this relay, with its back-end key in the environment. */
const at = (relay, words, { key = relay.key } = {}) =>
  run([...words, '--url', relay.url, '--set', `server.data_dir=${relay.dataDir}`], { env: { VERBATIM_API_KEY: key } });

test('sessions end ends a live session at the running relay, and says what became of it [P2]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Will you end me?');
  const ended = await at(relay, ['sessions', 'end', client.id, '--reason', 'by hand']);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, new RegExp(`^${client.id} has ended: operator, 2 turns\n$`));
  assert.equal((await within(client.closed, 'its close')).reason, 'operator');
  const again = await at(relay, ['sessions', 'end', client.id, '--json']);
  assert.equal(JSON.parse(again.stdout).close_reason, 'operator');
  assert.equal((await at(relay, ['sessions', 'end', 'sess_none'])).code, 3);
});

test('a command without a key, with a wrong one or without a relay says what to do [P10]', async (t) => {
  const relay = await startRelay(t);
  const none = await run(['tokens', 'list', '--url', relay.url, '--set', `server.data_dir=${relay.dataDir}`], { env: { VERBATIM_API_KEY: '' } });
  assert.equal(none.code, 1);
  assert.match(none.stderr, /VERBATIM_API_KEY/);
  const other = makeKey().key;
  const wrong = await at(relay, ['tokens', 'list'], { key: other });
  assert.equal(wrong.code, 1);
  assert.ok(!(wrong.stdout + wrong.stderr).includes(other));
  const file = join(temporaryDirectory(t), 'key');
  writeFileSync(file, `${relay.key}\n`, { mode: 0o600 });
  const named = await run(['tokens', 'list', '--url', relay.url, '--key-file', file, '--set', `server.data_dir=${relay.dataDir}`]);
  assert.equal(named.code, 0, named.stderr);
  const gone = await run(['tokens', 'list', '--url', 'https://127.0.0.1:1', '--set', `server.data_dir=${relay.dataDir}`]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /Is the relay running/);
});

test('the key is sent to no program that has another certificate than the relay [P10]', async (t) => {
  const relay = await startRelay(t);
  const impostor = await startRelay(t);
  const refused = await run(['tokens', 'list', '--url', impostor.url, '--set', `server.data_dir=${relay.dataDir}`], {
    env: { VERBATIM_API_KEY: relay.key },
  });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /public key|pinned|pubkey/i);
});

test('tokens are listed without their values and revoked, and their connections end [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const token = await relay.mint({ user: 'ada' });
  await relay.mint({ user: 'grace' });
  const client = await Client.connectWithId(t, relay, { token });
  const listed = await at(relay, ['tokens', 'list', '--user', 'ada', '--json']);
  assert.equal(listed.code, 0, listed.stderr);
  const { client_secrets: tokens } = JSON.parse(listed.stdout);
  assert.equal(tokens.length, 1);
  assert.ok(!listed.stdout.includes(token));
  const plain = await at(relay, ['tokens', 'list']);
  assert.equal(plain.stdout.trim().split('\n').length, 2);
  assert.match(plain.stdout, new RegExp(`^${tokens[0].id}  expires=.*user=ada$`, 'm'));
  const revoked = await at(relay, ['tokens', 'revoke', tokens[0].id]);
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.equal((await within(client.closed, 'its close')).code, 3000);
  assert.equal((await at(relay, ['tokens', 'revoke', 'cs_none'])).code, 3);
});

test('the retention is shown and applied at once, and what ended later stays [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const ids = [];
  for (let n = 0; n < 3; ++n) {
    const client = await Client.connectWithId(t, relay);
    await client.close();
    await relay.transcript(client.id);
    ids.push(client.id);
  }
  assert.match((await at(relay, ['retention', 'show'])).stdout, /kept for ever/);
  assert.equal((await at(relay, ['retention', 'run'])).code, 2);
  const later = await at(relay, ['retention', 'run', '--older-than', '1d', '--json']);
  assert.deepEqual(JSON.parse(later.stdout), { older_than: '1d', erased: 0, left: [] });
  let due;
  await eventually(async () => {
    due = await at(relay, ['retention', 'run', '--older-than', '100ms', '--dry-run', '--json']);
    return JSON.parse(due.stdout).due === 3;
  }, 'three sessions that are due');
  const now = await at(relay, ['retention', 'run', '--older-than', '100ms', '--json']);
  assert.deepEqual(JSON.parse(now.stdout), { older_than: '100ms', erased: 3, left: [] });
  for (const id of ids) assert.equal((await relay.request(`/v1/sessions/${id}`)).status, 404);
});

test('sessions list finds words and beginnings of ids in a store without a running relay', async (t) => {
  const relay = await startRelay(t);
  const words = ['--set', `server.data_dir=${relay.dataDir}`];
  await relay.request('/v1/sessions', { method: 'POST', body: { id: 'lesson-1', user: 'ada' } });
  const turns = [{ role: 'user', text: 'The heron stands in the reeds.' }];
  await relay.request('/v1/sessions/lesson-1/transcript', { method: 'POST', body: { writer: 'agent', turns } });
  await relay.indexed();
  await relay.program.stop();
  const found = await run(['sessions', 'list', '--q', 'heron reeds', ...words]);
  assert.equal(found.code, 0, found.stderr);
  assert.match(found.stdout, /^lesson-1 {2}.*\n {4}"The heron stands in the reeds\."\n$/);
  const { sessions } = JSON.parse((await run(['sessions', 'list', '--q', 'lesson', '--json', ...words])).stdout);
  assert.deepEqual(sessions.map(({ id }) => id), ['lesson-1']);
  assert.equal((await run(['sessions', 'list', '--q', 'absent', ...words])).stdout, '');
});
