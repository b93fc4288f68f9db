// Conversations go on after the relay was killed: the next process on the same data keeps them for their
// clients (P14). crash_resume.mjs does the same to a hundred conversations of public SDKs.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../e2e/support/cell.mjs';
import { Watcher } from '../e2e/support/events.mjs';
import { Client, refusal, run, startRelay, startSimulator, temporaryDirectory, within } from '../e2e/support/verbatim.mjs';
import { Shim } from './shim.mjs';
import { Supervisor } from './crash_resume/supervisor.mjs';

const patient = { timeout: 120_000 };
const plain = ['tls.enabled=false'];
const instructions = 'Answer like a pirate.';

/** Connects again and again, as a client does whose relay is gone. */
function comeBack(t, relay, options) {
  return eventually(() => Client.connect(t, relay(), options).catch(() => undefined), 'the relay to be back');
}

async function metric(relay, name) {
  const { text } = await relay.request('/metrics');
  return Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ')[1]);
}

const session = async (relay, id) => (await relay.request(`/v1/sessions/${id}`)).json;

/** A person with a token of its own, bound to its session. */
async function meet(t, relay, name, { query = {}, verbatim = {} } = {}) {
  const token = await relay.mint(
    { user: name, session_id: `sess_${name}`, ...verbatim },
    { type: 'realtime', instructions },
  );
  const client = await Client.connect(t, relay, { token, query });
  await client.event('session.created');
  return { name, token, client, id: `sess_${name}`, query };
}

const spoken = (transcript, role) => transcript.turns.filter((turn) => turn.role === role).map(({ text }) => text);

/** The person's client is back: it has the settings and the history, and asks something new. */
async function goesOn(t, supervisor, person, question, options = {}) {
  const client = await comeBack(t, () => supervisor.relay, { token: person.token, query: person.query, ...options });
  person.client = client;
  const created = await client.event('session.created');
  assert.equal(created.session.instructions, instructions);
  client.send({ type: 'session.update', session: { type: 'realtime' } });
  await client.event('conversation.item.done');
  await client.ask(question);
}

test('live conversations go on after kill -9, with settings and history, again and again [P1][P8][P14]', patient, async (t) => {
  const simulator = await startSimulator(t);
  const supervisor = await Supervisor.start(t, { simulator, set: plain });
  const people = await Promise.all(
    Array.from({ length: 6 }, async (_, n) => meet(t, supervisor.relay, `p${n}`, n % 2 ? {} : { query: { model: 'gpt-realtime' } })),
  );
  await Promise.all(people.map(({ client, name }) => client.ask(`I am ${name}.`)));
  for (const crash of [1, 2, 3]) {
    // Half of them are cut in the middle of an answer.
    for (const { client, name } of people.slice(0, 3)) {
      const from = client.events.length;
      client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: `Cut ${crash} of ${name}` }] } });
      await client.until(() => client.events.slice(from).find(({ type, item }) => type === 'conversation.item.added' && item.role === 'user'), 'the item');
    }
    await supervisor.crash();
    await Promise.all(people.map(({ client }) => within(client.closed, 'its end')));
    await Promise.all(people.map((person) => goesOn(t, supervisor, person, `After crash ${crash}, ${person.name}.`)));
  }
  for (const [n, person] of people.entries()) {
    const now = await session(supervisor.relay, person.id);
    assert.equal(now.status, 'live');
    assert.equal(now.attempts.length, 1);
    await person.client.close();
    const transcript = await supervisor.relay.transcript(person.id);
    assert.equal(transcript.attempt, 1);
    assert.equal(transcript.close_reason, 'client_closed');
    const cuts = n < 3;
    assert.deepEqual(spoken(transcript, 'user'), [
      `I am ${person.name}.`,
      ...[1, 2, 3].flatMap((crash) => [...(cuts ? [`Cut ${crash} of ${person.name}`] : []), `After crash ${crash}, ${person.name}.`]),
    ]);
  }
});

test('a session waits as recovering, and shows it everywhere; its client’s messages are numbered on [P8][P14]', patient, async (t) => {
  const simulator = await startSimulator(t);
  const supervisor = await Supervisor.start(t, { simulator, set: plain });
  const person = await meet(t, supervisor.relay, 'ann');
  await person.client.ask('Will you remember me?');
  const has = person.client.frames.length;
  await supervisor.crash();
  const { relay } = supervisor;
  assert.equal((await session(relay, person.id)).status, 'recovering');
  const listed = await relay.request('/v1/sessions?status=recovering');
  assert.deepEqual(listed.json.sessions.map(({ id }) => id), [person.id]);
  const waiting = (await relay.request(`/v1/sessions/${person.id}/transcript`)).json;
  assert.equal(waiting.status, 'recovering');
  assert.deepEqual(spoken(waiting, 'user'), ['Will you remember me?']);
  assert.ok(waiting.turns.every(({ status }) => status !== 'in_progress'));
  assert.equal(await metric(relay, 'verbatim_sessions{state="recovering"}'), 1);

  const list = ['sessions', 'list', '--status', 'recovering', '--json', '--set', `server.data_dir=${supervisor.dataDir}`];
  assert.match((await run(list)).stdout, /"sess_ann"/);
  const watcher = await Watcher.open(t, relay, person.id);
  await watcher.session('recovering');

  person.query = { after: String(has) };
  await goesOn(t, supervisor, person, 'Do you?');
  await watcher.session('live');
  const [first] = person.client.events;
  assert.equal(first.type, 'error');
  assert.equal(first.error.code, 'messages_not_kept');
  assert.equal((await session(relay, person.id)).status, 'live');
  assert.equal(await metric(relay, 'verbatim_sessions{state="recovering"}'), 0);
});

test('usage, budgets and the end of the longest duration are those of the whole attempt [P11][P14]', patient, async (t) => {
  const simulator = await startSimulator(t);
  const supervisor = await Supervisor.start(t, { simulator, set: [...plain, 'limits.sessions_per_user=1'] });
  const person = await meet(t, supervisor.relay, 'bob', { verbatim: { limits: { max_duration: 3600 } } });
  await person.client.ask('One.');
  const before = (await session(supervisor.relay, person.id)).attempts[0].usage;
  await supervisor.crash();
  // It counts as one of the user's conversations while it waits.
  const other = await supervisor.relay.mint({ user: 'bob', session_id: 'sess_other' });
  const refused = await refusal(supervisor.relay, { token: other });
  assert.equal(refused.status, 429);
  assert.equal(refused.json.error.code, 'too_many_sessions');
  await goesOn(t, supervisor, person, 'Two.');
  const after = (await session(supervisor.relay, person.id)).attempts[0].usage;
  const total = (usage) => JSON.stringify(usage).length;
  assert.ok(total(after) >= total(before));
  await person.client.close();
  const final = await supervisor.relay.transcript(person.id);
  assert.equal(final.attempt, 1);
});

test('a session whose client does not come is final as of its last event, and reported once [P2][P7][P14]', patient, async (t) => {
  const calls = [];
  const receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => (body += piece)).on('end', () => {
      calls.push(JSON.parse(body));
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.after(() => receiver.close());
  const secretFile = join(temporaryDirectory(t), 'secret');
  writeFileSync(secretFile, `whsec_${Buffer.alloc(32, 1).toString('base64')}`, { mode: 0o600 });
  const simulator = await startSimulator(t);
  const supervisor = await Supervisor.start(t, {
    simulator,
    set: [
      ...plain, 'session.resume_window=2s', 'webhook.settle=0s',
      `webhook.targets=[{url='http://127.0.0.1:${receiver.address().port}/', secret_file='${secretFile}', allow_private=true}]`,
    ],
  });
  const person = await meet(t, supervisor.relay, 'eve');
  await person.client.ask('Goodbye?');
  const killedAt = Date.now();
  await supervisor.crash();
  assert.equal((await session(supervisor.relay, person.id)).status, 'recovering');
  const transcript = await supervisor.relay.transcript(person.id);
  assert.equal(transcript.status, 'final');
  assert.equal(transcript.close_reason, 'crash_recovered');
  assert.ok(Date.parse(transcript.ended_at) <= killedAt);
  assert.deepEqual(spoken(transcript, 'user'), ['Goodbye?']);
  await eventually(() => calls.some(({ type }) => type === 'session.ended'), 'the webhook');
  await supervisor.crash(); // it is not reported again
  const next = await meet(t, supervisor.relay, 'zoe');
  await next.client.close();
  await eventually(() => calls.some(({ type, data }) => type === 'session.ended' && data.session_id === next.id), 'the next webhook');
  const ends = calls.filter(({ type, data }) => type === 'session.ended' && data.session_id === person.id);
  assert.equal(ends.length, 1);
  assert.equal(ends[0].data.close_reason, 'crash_recovered');
});

test('a recovering session can be ended and erased [P14]', patient, async (t) => {
  const simulator = await startSimulator(t);
  const supervisor = await Supervisor.start(t, { simulator, set: plain });
  const [ended, erased] = await Promise.all(['mia', 'noa'].map((name) => meet(t, supervisor.relay, name)));
  await Promise.all([ended, erased].map(({ client }) => client.ask('Am I here?')));
  await supervisor.crash();
  const { relay } = supervisor;
  const answer = await relay.request(`/v1/sessions/${ended.id}/end`, { method: 'POST', body: { reason: 'enough' } });
  assert.equal(answer.status, 200);
  assert.equal(answer.json.status, 'final');
  assert.equal(answer.json.attempts[0].close_reason, 'operator');
  assert.equal((await relay.request(`/v1/sessions/${erased.id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await relay.request(`/v1/sessions/${erased.id}`)).status, 404);
  assert.equal(await metric(relay, 'verbatim_sessions{state="recovering"}'), 0);
});

test('kills during the recovery lose no conversation [P7][P14]', patient, async (t) => {
  const simulator = await startSimulator(t);
  const shim = new Shim(t);
  const supervisor = await Supervisor.start(t, { simulator, set: plain, env: shim.env });
  const people = await Promise.all(Array.from({ length: 3 }, (_, n) => meet(t, supervisor.relay, `k${n}`)));
  await Promise.all(people.map(({ client, name }) => client.ask(`I am ${name}.`)));
  await supervisor.relay.program.stop('SIGKILL');
  for (const [n, action] of ['kill_before', 'kill_after', 'tear', 'kill_before'].entries()) {
    const armed = shim.arm({ calls: ['write', 'fsync', 'fdatasync'], file: 'verbatim.db', action, from: 2 + 3 * n });
    await supervisor.crash();
    armed.disarm();
  }
  assert.ok(supervisor.killedStarts >= 2, `${supervisor.killedStarts} starts were killed`);
  await Promise.all(people.map((person) => goesOn(t, supervisor, person, 'Still here.')));
  for (const person of people) {
    await person.client.close();
    const transcript = await supervisor.relay.transcript(person.id);
    assert.equal(transcript.attempt, 1);
    assert.deepEqual(spoken(transcript, 'user'), [`I am ${person.name}.`, 'Still here.']);
  }
});

test('a client that comes before the journal is recovered tries again, and goes on [P7][P14]', patient, async (t) => {
  const simulator = await startSimulator(t);
  const shim = new Shim(t);
  const dataDir = temporaryDirectory(t);
  const supervisor = await Supervisor.start(t, { simulator, set: [...plain, 'storage.ballast=0'], env: shim.env, dataDir });
  const person = await meet(t, supervisor.relay, 'kim');
  await person.client.ask('Are you there?');
  await supervisor.relay.program.stop('SIGKILL');
  // The disk is full while it starts: it listens, but the journal cannot be recovered yet.
  const full = ['*.db', '*.db-wal'].map((file) => shim.arm({ calls: 'write', file, action: 'fail', error: 'ENOSPC' }));
  await supervisor.crash();
  const refused = await refusal(supervisor.relay, { token: person.token });
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  const back = goesOn(t, supervisor, person, 'And now?');
  for (const rule of full) rule.disarm();
  await back;
  await person.client.close();
  const transcript = await supervisor.relay.transcript(person.id);
  assert.equal(transcript.attempt, 1);
  assert.deepEqual(spoken(transcript, 'user'), ['Are you there?', 'And now?']);
});

test('an orderly stop ends recovering sessions, or hands them on [P2][P14]', patient, async (t) => {
  const simulator = await startSimulator(t);
  for (const [restart, status] of [['end', 'final'], ['handover', 'recovering']]) {
    const supervisor = await Supervisor.start(t, { simulator, set: [...plain, `server.restart=${restart}`] });
    const person = await meet(t, supervisor.relay, `stop_${restart}`);
    await person.client.ask('Wait for me?');
    await supervisor.crash();
    assert.equal((await supervisor.relay.program.stop('SIGTERM')).code, 0);
    const { dataDir, key } = supervisor;
    const next = await startRelay(t, { simulator, dataDir, key, set: [...plain, 'session.resume_window=30s', 'upstream.reconnect_attempts_max=5'] });
    const transcript = (await next.request(`/v1/sessions/${person.id}/transcript`)).json;
    assert.equal(transcript.status, status);
    if (status === 'final') assert.equal(transcript.close_reason, 'crash_recovered');
    else await goesOn(t, { relay: next }, person, 'I am back.');
  }
});

test('an operator who recovers by hand gets final records [P7][P14]', patient, async (t) => {
  const simulator = await startSimulator(t);
  const supervisor = await Supervisor.start(t, { simulator, set: plain });
  const person = await meet(t, supervisor.relay, 'olaf');
  await person.client.ask('Is this kept?');
  await supervisor.relay.program.stop('SIGKILL');
  const command = (...more) => run(['recover', ...more, '--set', `server.data_dir=${supervisor.dataDir}`]);
  const foreseen = await command('--dry-run');
  assert.match(foreseen.stdout, /1 attempt would be recovered:\nsess_olaf/);
  assert.match(foreseen.stdout, /A start of the relay first keeps these attempts open for their clients/);
  assert.match((await command()).stdout, /1 attempt was recovered:\nsess_olaf/);
  await supervisor.crash(); // it starts, on what the operator has recovered
  const transcript = (await supervisor.relay.request(`/v1/sessions/${person.id}/transcript`)).json;
  assert.equal(transcript.status, 'final');
  assert.equal(transcript.close_reason, 'crash_recovered');
});
