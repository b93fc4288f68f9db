// Captured live traffic replays through the same engine.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, run, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

test('a capture replays to the stored transcript, and is erased with it', async (t) => {
  const directory = temporaryDirectory(t);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [`capture.dir=${directory}`],
  });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Are you recorded?');
  await client.ask('Twice?');
  await client.close();
  const kept = await relay.transcript(client.id);
  assert.equal(kept.turns.length, 4);

  const raw = await relay.request(`/v1/sessions/${client.id}/captured`);
  assert.equal(raw.status, 200);
  assert.match(raw.type, /^application\/x-ndjson/);
  const answers = raw.text.trim().split('\n').map(JSON.parse)
    .filter(({ dir, event }) => dir === 's2c' && event.type === 'response.done');
  assert.equal(answers.length, 2);
  assert.equal((await relay.request(`/v1/sessions/${client.id}/captured?attempt=2`)).status, 404);
  assert.equal((await relay.request(`/v1/sessions/..%2f${client.id}/captured`)).status, 404);

  await relay.program.stop(); // the capture file is complete by then
  const file = join(directory, `${client.id}.1.jsonl`);
  const replayed = await run(['replay', file, '--json']);
  assert.equal(replayed.code, 0, replayed.stderr);
  const essence = ({ turns }) =>
    turns.map(({ item_id, role, text, status }) => ({ item_id, role, text, status }));
  assert.deepEqual(essence(JSON.parse(replayed.stdout)), essence(kept));

  const erased = await run([
    ...['sessions', 'delete', client.id],
    ...['--set', `server.data_dir=${relay.dataDir}`],
    ...['--set', `capture.dir=${directory}`],
  ]);
  assert.equal(erased.code, 0, erased.stderr);
  assert.deepEqual(readdirSync(directory), []);
});
