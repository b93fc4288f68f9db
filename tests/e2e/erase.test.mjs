// Erased text is in no file: after a request, and by age.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { holders } from './support/holders.mjs';
import { Client, run, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

/** A conversation, a posted copy and metadata, all with the planted words in them. */
async function plant(t, relay, planted) {
  const token = await relay.mint({ user: `ada ${planted}`, metadata: { note: planted } });
  const client = await Client.connectWithId(t, relay, { token });
  await client.ask(`Have you heard of ${planted}?`);
  await client.close();
  await relay.transcript(client.id);
  const posted = await relay.request(`/v1/sessions/${client.id}/transcript`, {
    method: 'POST',
    body: { writer: 'agent', turns: [{ role: 'assistant', text: `The note says ${planted}.` }] },
  });
  assert.equal(posted.status, 200, posted.text);
  return client.id;
}

const erasedBy = async (relay, by) => {
  const { text } = await relay.request('/metrics');
  return Number(new RegExp(`^verbatim_sessions_erased_total\\{by="${by}"\\} (\\d+)`, 'm').exec(text)?.[1]);
};

test('spoken, posted and captured text is in no file after an erasure [P10]', async (t) => {
  const capture = temporaryDirectory(t);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [`capture.dir=${capture}`],
  });
  const places = [relay.dataDir, capture];
  const planted = randomUUID();
  const kept = await plant(t, relay, 'what stays');
  const id = await plant(t, relay, planted);
  await eventually(() => holders([capture], planted).length > 0, 'the capture');
  assert.ok(holders([relay.dataDir], planted).length > 0, 'it was in the data directory');

  assert.equal((await relay.request(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
  assert.deepEqual(holders(places, planted), [], 'no trace in any file');
  assert.equal((await relay.request(`/v1/sessions/${id}`)).status, 404);
  assert.equal((await relay.request(`/v1/sessions/${kept}`)).status, 200);
  assert.ok(holders([capture], 'what stays').length > 0, 'the other capture is there');
  assert.equal(await erasedBy(relay, 'request'), 1);
  assert.match(relay.program.stderr, new RegExp(`session\\.erased.*${id}`));

  await relay.program.stop();
  assert.deepEqual(holders(places, planted), []);
});

test('while another process reads the files, DELETE answers 202; the log says when the text is gone [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: ['session.end_wait=300ms'] });
  const planted = randomUUID();
  const id = await plant(t, relay, planted);
  for (const file of ['verbatim.db', 'search.index']) {
    const other = await plant(t, relay, `${planted} ${file}`);
    await relay.indexed();
    const reader = spawn('sqlite3', ['-readonly', join(relay.dataDir, file)], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => reader.kill());
    reader.stdin.write("BEGIN; SELECT 'reads', count(*) FROM sqlite_master;\n");
    const [begun] = await once(reader.stdout, 'data');
    assert.match(String(begun), /^reads/);
    const answer = await relay.request(`/v1/sessions/${other}`, { method: 'DELETE' });
    assert.equal(answer.status, 202, answer.text);
    assert.deepEqual([answer.json.id, answer.json.pending], [other, ['storage']]);
    assert.equal((await relay.request(`/v1/sessions/${other}`)).status, 404, 'it is erased');
    await relay.program.logged(new RegExp(`erasure\\.pending.*${other}`));
    assert.doesNotMatch(relay.program.stderr, new RegExp(`erasure\\.complete.*${other}`));
    reader.stdin.end();
    await relay.program.logged(new RegExp(`erasure\\.complete.*${other}`));
    assert.deepEqual(holders([relay.dataDir], `${planted} ${file}`), []);
  }
  assert.equal((await relay.request(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
  assert.deepEqual(holders([relay.dataDir], planted), [], 'no file has the text when DELETE answers 204');
});

test('a session that is over can be erased while its connection is still being closed', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: ['session.close_timeout=500ms'] });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Who is there?');
  client.send({ type: 'verbatim.end' });
  client.socket.pause(); // it does not answer a close frame
  await relay.transcript(client.id);
  assert.equal((await relay.request(`/v1/sessions/${client.id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await relay.request(`/v1/sessions/${client.id}`)).status, 404);
});

test('a session older than storage.retention is erased by itself, a younger one and a live one are not [P10]', async (t) => {
  const dataDir = temporaryDirectory(t);
  const capture = temporaryDirectory(t);
  const simulator = await startSimulator(t);
  const set = [`capture.dir=${capture}`];
  const first = await startRelay(t, { simulator, dataDir, set });
  const planted = randomUUID();
  const id = await plant(t, first, planted);
  await first.program.stop();

  const long = await startRelay(t, { simulator, dataDir, set: [...set, 'storage.retention=1h'] });
  await eventually(async () => (await erasedBy(long, 'retention')) === 0, 'a look');
  assert.equal((await long.request(`/v1/sessions/${id}`)).status, 200);
  await long.program.stop();

  const relay = await startRelay(t, { simulator, dataDir, set: [...set, 'storage.retention=1s'] });
  const live = await Client.connectWithId(t, relay);
  await eventually(async () => (await relay.request(`/v1/sessions/${id}`)).status === 404, 'the erasure');
  await eventually(() => holders([dataDir, capture], planted).length === 0, 'no trace in any file');
  await eventually(async () => (await erasedBy(relay, 'retention')) === 1, 'it is counted');
  assert.match(relay.program.stderr, /retention\.erased.*1/);
  assert.equal((await relay.request(`/v1/sessions/${live.id}`)).json.status, 'live');
  await live.close();
  await eventually(async () => (await relay.request(`/v1/sessions/${live.id}`)).status === 404, 'its end, and its age');
});

test('the command line erases a session that has not begun, and one that only writers filled', async (t) => {
  const relay = await startRelay(t);
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } });
  const posted = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } });
  await relay.request(`/v1/sessions/${posted.json.id}/transcript`, { method: 'POST', body: { role: 'user', text: 'Hi.' } });
  for (const id of [json.id, posted.json.id]) {
    const erased = await run(['sessions', 'delete', id, '--set', `server.data_dir=${relay.dataDir}`]);
    assert.equal(erased.code, 0, erased.stderr);
    assert.equal((await relay.request(`/v1/sessions/${id}`)).status, 404);
  }
});

test('erased text is in no file when DELETE answers 204, while five other people go on talking [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const planted = randomUUID();
  const words = Array.from({ length: 30 }, (_, i) => `${planted} ${i}`);
  const people = await Promise.all(Array.from({ length: 5 }, () => Client.connectWithId(t, relay)));
  const speaker = await Client.connectWithId(t, relay);
  // Their rows are mixed: each says a little at a time.
  for (const text of words) await Promise.all([speaker.ask(text), ...people.map((one) => one.ask('And then?'))]);
  await speaker.close();
  await relay.transcript(speaker.id);
  assert.ok(holders([relay.dataDir], planted).length > 0, 'it was in the data directory');

  let over = false;
  const talking = people.map(async (one) => {
    while (!over) await one.ask('Go on.');
  });
  try {
    assert.equal((await relay.request(`/v1/sessions/${speaker.id}`, { method: 'DELETE' })).status, 204);
    assert.deepEqual(holders([relay.dataDir], planted), [], 'no trace in any file');
    // Later writes next to the erased rows do not bring the text back.
    for (let i = 0; i < 10; i += 1) {
      await relay.request('/v1/sessions');
      assert.deepEqual(holders([relay.dataDir], planted), []);
    }
  } finally {
    over = true;
    await Promise.all(talking);
  }
  await Promise.all(people.map((one) => one.close()));
  await relay.program.stop();
  assert.deepEqual(holders([relay.dataDir], planted), []);
});
