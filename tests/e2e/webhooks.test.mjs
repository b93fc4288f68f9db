// Webhooks: a receiver checks every call with the public package.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { Receiver, newSecret, quick, targets } from './support/receiver.mjs';
import {
  Client,
  makeKey,
  run,
  startRelay,
  startSimulator,
  temporaryDirectory,
} from './support/verbatim.mjs';

async function conversation(t, relay) {
  const client = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ada' }) });
  await client.ask('What time is it?');
  await client.close();
  return client.id;
}

test('a back end gets the end once, signed, with the whole transcript', async (t) => {
  const receiver = await Receiver.start(t);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, targets(receiver.target(t))],
  });
  const id = await conversation(t, relay);
  await receiver.until('session.ended');
  assert.deepEqual(
    receiver.calls.map(({ type }) => type),
    ['session.started', 'session.ended'],
  );
  const { data } = receiver.of('session.ended')[0];
  assert.deepEqual(
    [data.session_id, data.attempt, data.user, data.close_reason],
    [id, 1, 'ada', 'client_closed'],
  );
  assert.deepEqual(data.transcript, await relay.transcript(id));
  assert.equal(data.complete, data.transcript.complete);
});

test("the message of the end waits for other writers' copies; later copies are sent as updates [P3]", async (t) => {
  const receiver = await Receiver.start(t);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, 'webhook.settle=1500ms', targets(receiver.target(t))],
  });
  const id = await conversation(t, relay);
  await relay.transcript(id);
  const post = (text) =>
    relay.request(`/v1/sessions/${id}/transcript`, {
      method: 'POST',
      body: { turns: [{ role: 'user', text }] },
    });
  await post('What only the agent heard.');
  await post('And then that.');
  await receiver.until('session.ended');
  const [ended] = receiver.of('session.ended');
  assert.equal(ended.data.transcript.turns.length, 4);
  await post('Long after the end of it all.');
  await receiver.until('transcript.updated');
  await post('Long after the end of it all.'); // changes nothing, so no message is sent
  await post('One thing more, for good measure.');
  await receiver.until('transcript.updated', 2);
  assert.deepEqual(
    receiver.calls.map(({ type }) => type),
    ['session.started', 'session.ended', 'transcript.updated', 'transcript.updated'],
  );
});

test('a receiver that fails is tried again, in order, with the same id', async (t) => {
  const receiver = await Receiver.start(t);
  let failures = 4;
  receiver.answer = () => (failures-- > 0 ? [500, 302, 429, 503][failures] : 200);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, targets(receiver.target(t))],
  });
  await conversation(t, relay);
  await receiver.until('session.ended');
  assert.ok(
    receiver.calls.every(({ path }) => path === '/hook'),
    'no redirect is followed',
  );
  assert.deepEqual(
    receiver.calls.map(({ type }) => type),
    [...Array(5).fill('session.started'), 'session.ended'],
  );
  assert.equal(new Set(receiver.of('session.started').map(({ id }) => id)).size, 1);
});

test('a target that hangs delays no other', async (t) => {
  const hanging = await Receiver.start(t);
  hanging.answer = () => undefined;
  const receiver = await Receiver.start(t);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, 'webhook.timeout=1m', targets(hanging.target(t), receiver.target(t))],
  });
  await conversation(t, relay);
  await receiver.until('session.ended');
  assert.deepEqual(
    hanging.calls.map(({ type }) => type),
    ['session.started'],
  );
});

for (const moment of ['before anything is sent', 'between the call and its answer']) {
  test(`a kill ${moment}: the end is still sent, under one id [P1]`, async (t) => {
    const receiver = await Receiver.start(t);
    const simulator = await startSimulator(t);
    const key = makeKey();
    const set = (settle) => [
      ...quick,
      `webhook.settle=${settle}`,
      targets(receiver.target(t, ", events=['session.ended']")),
    ];
    const early = moment.startsWith('before');
    receiver.answer = () => undefined;
    const first = await startRelay(t, { simulator, key, set: set(early ? '1m' : '0s') });
    const id = await conversation(t, first);
    await first.transcript(id);
    if (!early) await receiver.until('session.ended');
    await first.program.stop('SIGKILL');
    receiver.answer = () => 200;
    const second = await startRelay(t, { simulator, key, dataDir: first.dataDir, set: set('0s') });
    await receiver.until('session.ended', early ? 1 : 2);
    assert.equal(new Set(receiver.calls.map((call) => call.id)).size, 1);
    assert.equal(receiver.calls.at(-1).data.session_id, id);
    assert.deepEqual(receiver.calls.at(-1).data.transcript, await second.transcript(id));
  });
}

for (const moment of ['never', 'after the disconnect', 'after the first post', 'after both posts', 'between the call and its answer']) {
  test(`a disconnect, then both writers' posts, then the call; killed ${moment}: one end, whole [P1][P2][P3]`, async (t) => {
    const receiver = await Receiver.start(t);
    const simulator = await startSimulator(t);
    const key = makeKey();
    const start = (settle, dataDir) =>
      startRelay(t, {
        simulator, key, dataDir,
        set: [...quick, `webhook.settle=${settle}`, targets(receiver.target(t, ", events=['session.ended']"))],
      });
    let relay = await start(moment === 'never' ? '3s' : '1m');
    const reached = async (here, settle = '1m') => {
      if (moment !== here) return;
      await relay.program.stop('SIGKILL');
      receiver.answer = () => 204;
      relay = await start(settle, relay.dataDir);
    };
    const token = await relay.mint({ user: 'ada' });
    const client = await Client.connectWithId(t, relay, { token });
    await client.ask('What time is it?');
    client.socket.terminate();
    const { turns: heard } = await relay.transcript(client.id);
    await reached('after the disconnect');
    const said = [...heard.map(({ role, text }) => ({ role, text })),
      ...Array.from({ length: 18 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', text: `Line ${i} of what both heard.` }))];
    const post = async (as, turns) => {
      const answer = await relay.request(`/v1/sessions/${client.id}/transcript`, { method: 'POST', key: as, body: { turns } });
      assert.equal(answer.status, 200, answer.text);
    };
    await post(relay.key, said.slice(0, 12));
    await reached('after the first post');
    await post(token, said.slice(4));
    if (moment.startsWith('between')) {
      receiver.answer = () => undefined;
      await relay.program.stop('SIGKILL');
      relay = await start('0s', relay.dataDir);
      await receiver.until('session.ended');
    } else {
      assert.equal(receiver.calls.length, 0, 'it was reported too soon');
    }
    await reached(moment === 'never' ? undefined : moment, '0s');
    await receiver.until('session.ended', moment.startsWith('between') ? 2 : 1);
    assert.equal(new Set(receiver.calls.map((call) => call.id)).size, 1);
    const whole = await relay.transcript(client.id);
    assert.deepEqual(whole.turns.map(({ text }) => text), said.map(({ text }) => text));
    for (const { data } of receiver.of('session.ended')) assert.deepEqual(data.transcript, whole);
  });
}

test('a kill in mid-conversation: recovery sends the end [P2][P7]', async (t) => {
  const receiver = await Receiver.start(t);
  const simulator = await startSimulator(t);
  const set = [...quick, targets(receiver.target(t))];
  const first = await startRelay(t, { simulator, set });
  const client = await Client.connectWithId(t, first);
  await client.ask('What time is it?');
  await first.program.stop('SIGKILL');
  await startRelay(t, { simulator, set, dataDir: first.dataDir });
  await receiver.until('session.ended');
  const [{ data }] = receiver.of('session.ended');
  assert.deepEqual(
    [data.session_id, data.close_reason, data.turns],
    [client.id, 'crash_recovered', 2],
  );
});

test('a message that no target accepts is a dead letter, listed, and sent again on demand', async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = () => 500;
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, 'webhook.tries_max=3', targets(receiver.target(t, ", name='crm'"))],
  });
  const id = await conversation(t, relay);
  const cli = async (...words) =>
    JSON.parse(
      (await run(['webhooks', ...words, '--json', '--set', `server.data_dir=${relay.dataDir}`]))
        .stdout,
    );
  await eventually(async () => (await cli('list', '--dead')).length === 2, 'two dead letters');
  const [started, ended] = await cli('list', '--dead');
  assert.deepEqual(
    [started.type, ended.type, ended.session_id, ended.target, ended.tries, ended.last_error],
    ['session.started', 'session.ended', id, 'crm', 3, 'status 500'],
  );
  receiver.answer = () => 200;
  receiver.calls.length = 0;
  assert.deepEqual(await cli('redrive', ended.message), { redriven: 1 });
  await receiver.until('session.ended');
  assert.deepEqual(await cli('redrive', '--all'), { redriven: 1 });
  await receiver.until('session.started');
  const metrics = (await relay.request('/metrics')).text;
  assert.match(metrics, /verbatim_webhook_calls_total\{target="crm",result="dead"\} 2/);
});

test('a receiver that was down gets its messages when it is back, in order', async (t) => {
  const receiver = await Receiver.start(t);
  const { port } = new URL(receiver.url);
  receiver.server.closeAllConnections();
  await new Promise((closed) => receiver.server.close(closed));
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, 'webhook.tries_max=1000', targets(receiver.target(t, ", name='crm'"))],
  });
  const gauge = async (name) => {
    const { text } = await relay.request('/metrics');
    return Number(new RegExp(`^verbatim_webhook_${name}.* ([^ ]+)$`, 'm').exec(text)?.[1]);
  };
  const waiting = 'messages\\{target="crm",state="waiting"\\}';
  await conversation(t, relay);
  await eventually(async () => (await gauge(waiting)) === 2, 'two messages that wait');
  assert.ok((await gauge('oldest_seconds')) > 0);
  receiver.server.listen(Number(port), '127.0.0.1');
  await receiver.until('session.ended');
  assert.deepEqual(
    receiver.calls.map(({ type }) => type),
    ['session.started', 'session.ended'],
  );
  await eventually(async () => (await gauge(waiting)) === 0, 'none that waits');
});

test('a copy posted while the end is being sent is sent as an update [P3]', async (t) => {
  const receiver = await Receiver.start(t);
  let hold = true;
  receiver.answer = ({ type }) => (type === 'session.ended' && hold ? undefined : 204);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, targets(receiver.target(t, ", events=['session.ended','transcript.updated']"))],
  });
  const id = await conversation(t, relay);
  await receiver.until('session.ended');
  await relay.request(`/v1/sessions/${id}/transcript`, {
    method: 'POST',
    body: { turns: [{ role: 'user', text: 'What came a moment too late.' }] },
  });
  hold = false;
  await receiver.until('transcript.updated');
  assert.match(JSON.stringify(receiver.of('transcript.updated')[0].data), /a moment too late/);
});

test('targets at one host by two names each get the kinds that they want', async (t) => {
  const receiver = await Receiver.start(t);
  const named = (name) => receiver.target(t, `, name='${name}', events=['session.ended']`);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, targets(named('one'), named('two'))],
  });
  await conversation(t, relay);
  await receiver.until('session.ended', 2);
  assert.equal(new Set(receiver.calls.map(({ id }) => id)).size, 1);
});

test('redirects and endless responses do not get around the limits', async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = () => 302;
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, 'webhook.tries_max=2', targets(receiver.target(t, ", name='crm'"))],
  });
  await conversation(t, relay);
  await eventually(
    () => (relay.program.stderr.match(/webhook\.dead/g) ?? []).length === 2,
    'two dead letters',
  );
  assert.ok(receiver.calls.every(({ path }) => path === '/hook'));
  assert.match(relay.program.stderr, /webhook\.dead.*status 302/);
  receiver.endless = true;
  receiver.answer = () => 200;
  const endless = await conversation(t, relay);
  await eventually(
    () => receiver.of('session.ended').some(({ data }) => data.session_id === endless),
    'the end',
  );
  assert.equal(receiver.calls.filter(({ data }) => data.session_id === endless).length, 2);
});

test('SIGHUP: calls are signed with the current content of the secret file', async (t) => {
  const receiver = await Receiver.start(t);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, targets(receiver.target(t))],
  });
  await conversation(t, relay);
  await receiver.until('session.ended');
  receiver.secret = newSecret();
  writeFileSync(receiver.file, receiver.secret);
  relay.program.child.kill('SIGHUP');
  await eventually(() => /server\.reloaded/.test(relay.program.stderr), 'the reload');
  await conversation(t, relay);
  await receiver.until('session.ended', 2);
});

test('while the secret is changed both the old and the new one are good', async (t) => {
  const old = newSecret();
  const receiver = await Receiver.start(t, old);
  const target = receiver.target(t);
  writeFileSync(receiver.file, `${newSecret()}\n${old}\n`);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, targets(target)],
  });
  await conversation(t, relay);
  await receiver.until('session.ended');
});

test('a target on a private address is refused unless it is allowed', async (t) => {
  const file = join(temporaryDirectory(t), 'secret');
  writeFileSync(file, newSecret());
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, targets(`{url='https://localhost:9/hook', secret_file='${file}'}`)],
  });
  await conversation(t, relay);
  await eventually(
    () => /webhook\.failed.*address is private/.test(relay.program.stderr),
    'the refusal',
  );
});

test('no message is sent about an erased session', async (t) => {
  const receiver = await Receiver.start(t);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [...quick, 'webhook.settle=2s', targets(receiver.target(t, ", events=['session.ended']"))],
  });
  const gone = await conversation(t, relay);
  await relay.transcript(gone);
  assert.equal((await relay.request(`/v1/sessions/${gone}`, { method: 'DELETE' })).status, 204);
  const kept = await conversation(t, relay);
  await receiver.until('session.ended');
  assert.deepEqual(
    receiver.calls.map(({ data }) => data.session_id),
    [kept],
  );
});
