// Traces of conversations at a collector: docs/tracing.md.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Collector } from './support/collector.mjs';
import { eventually } from './support/process.mjs';
import { Provider } from './support/provider.mjs';
import { play, read } from './support/recording.mjs';
import { Receiver, quick, targets } from './support/receiver.mjs';
import { answer } from './support/spoken.mjs';
import { Client, startRelay, startSimulator, temporaryDirectory, run } from './support/verbatim.mjs';

const tracing = (url, ...more) => [`trace.otlp_url=${url}`, 'trace.batch_interval=100ms', ...more];
const named = (spans, name) => spans.filter((span) => span.name === name);
const one = (spans, name) => {
  const found = named(spans, name);
  assert.equal(found.length, 1, `${name}: ${found.length} spans`);
  return found[0];
};

/** Plays a recording of tests/recordings; the session's id. */
async function playRecording(t, relay, name, { verbatim = {}, ...options } = {}) {
  const token = await relay.mint({ user: 'ada', ...verbatim });
  const client = await Client.connect(t, relay, { token, query: { model: name }, ...options });
  await play(client, read(name));
  await client.close();
  return (await relay.request('/v1/sessions?user=ada')).json.sessions[0].id;
}

/** Every span but those whose parent came from outside has a parent in its trace. */
function assertTree(spans, root) {
  const ids = new Set(spans.map(({ id }) => id));
  assert.equal(ids.size, spans.length, 'ids of spans are unique');
  for (const span of spans) {
    assert.equal(span.trace, root.trace, span.name);
    if (span !== root) assert.ok(ids.has(span.parent), `the parent of ${span.name} is in the trace`);
  }
}

test('a trace of a barge-in conversation equals its transcript in spans [P4][P5]', async (t) => {
  const collector = await Collector.start(t);
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: tracing(collector.url) });
  const id = await playRecording(t, relay, 'synthetic-04-barge-in-truncate');
  const transcript = await relay.transcript(id);
  const spans = await collector.conversation(id);
  const root = one(spans, 'verbatim.session.open');
  assert.equal(root.parent, undefined);
  assertTree(spans, root);

  const statusOf = { completed: 'completed', interrupted: 'truncated' };
  const spoken = named(spans, 'user_input').map(({ attributes }) => ({
    role: 'user',
    item_id: attributes['verbatim.item_id'],
    response_id: undefined,
    status: attributes['verbatim.transcription'],
    heard: undefined,
  }));
  const answered = named(spans, 'generate_live_content').map(({ attributes }) => ({
    role: 'assistant',
    item_id: attributes['verbatim.item_ids'][0],
    response_id: attributes['gen_ai.response.id'],
    status: statusOf[attributes['verbatim.end_reason']],
    heard: attributes['verbatim.heard_ms'],
  }));
  const place = ({ item_id }) => transcript.turns.findIndex((turn) => turn.item_id === item_id);
  assert.deepEqual(
    [...spoken, ...answered].sort((a, b) => place(a) - place(b)),
    transcript.turns.map(({ role, item_id, response_id, status, heard }) => ({
      ...{ role, item_id, status },
      response_id: response_id || undefined,
      heard: heard?.audio_ms,
    })),
  );

  for (const span of named(spans, 'generate_live_content')) {
    const turn = transcript.turns.find(({ response_id }) => response_id === span.attributes['gen_ai.response.id']);
    assert.ok(span.attributes['verbatim.first_audio_ms'] >= 0, 'an answer with audio has its first audio');
    assert.ok(span.start <= Date.parse(turn.started_at) && Date.parse(turn.ended_at) <= span.end + 1);
  }
  const [first, second] = named(spans, 'user_input').sort((a, b) => a.start - b.start);
  assert.equal(first.attributes['verbatim.speech_ms'], 1500);
  assert.equal(second.attributes['verbatim.speech_ms'], 1000);

  assert.deepEqual(root.events.map(({ name }) => name), ['gen_ai.client.live_session.started']);
  const [ended] = one(spans, 'verbatim.session.close').events;
  assert.equal(ended.name, 'gen_ai.client.live_session.ended');
  assert.equal(ended.attributes['verbatim.turns'], transcript.turns.length);
  assert.equal(ended.attributes['verbatim.close_reason'], transcript.close_reason);
  assert.equal(ended.attributes['verbatim.complete'], transcript.complete);
  assert.deepEqual(ended.attributes['verbatim.gaps'], []);
  const dial = one(spans, 'verbatim.upstream.dial');
  assert.deepEqual(
    [dial.attributes['verbatim.purpose'], dial.attributes['verbatim.outcome'], dial.failed],
    ['first', 'opened', false],
  );
});

test('each log line of a traced conversation has the id of its trace, and no other line has one', async (t) => {
  const collector = await Collector.start(t);
  const simulator = await startSimulator(t);
  const receiver = await Receiver.start(t);
  receiver.answer = ({ type }) => (type === 'session.ended' ? 500 : 204);
  const webhooks = [...quick, 'webhook.tries_max=2', targets(receiver.target(t))];
  const talk = async (relay) => {
    const token = await relay.mint({ user: 'ann' });
    const first = await Client.connectWithId(t, relay, { token });
    await first.ask('Who listens?');
    first.socket.terminate();
    const client = await Client.connectWithId(t, relay, { token, query: { session: first.id } });
    await relay.program.logged('session.rejoined');
    await client.close();
    await relay.transcript(client.id);
    await relay.program.logged('session.ended');
    await relay.program.logged('webhook.dead');
    const lines = relay.program.stderr.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    return [client.id, lines];
  };
  const set = ['log.format=json', 'session.resume_window=30s', ...webhooks];
  const traced = await startRelay(t, { simulator, resumes: true, set: tracing(collector.url, ...set) });
  const [id, lines] = await talk(traced);
  const [{ trace }] = await collector.conversation(id);
  const own = lines.filter(({ session }) => session === id);
  const events = ['session.opened', 'session.rejoined', 'session.ended', 'webhook.failed', 'webhook.dead'];
  for (const event of events) assert.ok(own.some(({ msg }) => msg === event), event);
  for (const line of own) assert.equal(line.trace_id, trace, line.msg);
  assert.ok(lines.every((line) => line.session === id || !('trace_id' in line)));
  const [, untraced] = await talk(await startRelay(t, { simulator, resumes: true, set }));
  assert.ok(untraced.every((line) => !('trace_id' in line)));
});

test('no exported byte has words, names, metadata, tokens or keys [P10]', async (t) => {
  const collector = await Collector.start(t);
  const provider = await Provider.start(t);
  const headers = join(temporaryDirectory(t), 'headers');
  writeFileSync(headers, 'Authorization=Bearer%20collector-key-1,x-other=two\n', { mode: 0o600 });
  const relay = await startRelay(t, {
    simulator: provider,
    set: tracing(`${collector.url}/base/`, `trace.otlp_headers_file=${headers}`),
  });
  const token = await relay.mint({ user: 'canaryuser', metadata: { course: 'canarymeta' }, private: { note: 'canaryprivate' } });
  const client = await Client.connectWithId(t, relay, { token, query: { model: 'talk' } });
  const line = await provider.line('talk');
  const session = { type: 'realtime', id: 'sess_p', audio: { input: { transcription: { model: 'm' } } } };
  line.say({ type: 'session.created', session });
  line.say({ type: 'input_audio_buffer.speech_started', audio_start_ms: 0, item_id: 'item_u1' });
  line.say({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: 900, item_id: 'item_u1' });
  line.say({ type: 'input_audio_buffer.committed', previous_item_id: null, item_id: 'item_u1' });
  line.say({
    type: 'conversation.item.input_audio_transcription.failed',
    ...{ item_id: 'item_u1', content_index: 0 },
    error: { type: 'canary error of the provider', message: 'canaryerror', code: 'canary code' },
  });
  answer(line, { id: 'item_a1', response: 'canary response id', after: 'item_u1', text: 'canaryanswer', seconds: 1 });
  line.say({
    type: 'response.done',
    response: {
      ...{ id: 'resp_failed', conversation_id: 'conv_1', status: 'failed', output: [] },
      status_details: { type: 'failed', error: { type: 'server_error', code: 'canary words', message: 'canaryerror' } },
    },
  });
  await client.until(({ events }) => events.filter(({ type }) => type === 'response.done').length === 2, 'both ends');
  await client.close();
  const spans = await collector.conversation(client.id);
  assert.equal(named(spans, 'generate_live_content').length, 2);
  const failed = spans.find(({ attributes }) => attributes['gen_ai.response.id'] === 'resp_failed');
  assert.deepEqual([failed.failed, failed.attributes['error.type']], [true, 'server_error']);
  assert.equal(one(spans, 'user_input').attributes['verbatim.transcription'], 'failed');
  for (const { path, headers: sent, text } of collector.requests) {
    assert.equal(path, '/base/v1/traces');
    assert.deepEqual([sent.authorization, sent['x-other']], ['Bearer collector-key-1', 'two']);
    for (const secret of ['canary', 'collector-key', 'sk-simulated-provider', token, relay.key])
      assert.ok(!text.toLowerCase().includes(secret.toLowerCase()), `an exported byte has ${secret}`);
  }
  assert.ok(!relay.program.stderr.includes('collector-key'));
});

test('a conversation joins the trace of its token, else of its request, and follows its sampling', async (t) => {
  const collector = await Collector.start(t);
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: tracing(collector.url, 'trace.sampling=0') });
  const parent = (digit, flags) => `00-${digit.repeat(32)}-${digit.repeat(16)}-${flags}`;
  const talk = async (verbatim, headers) => {
    const client = await Client.connectWithId(t, relay, { token: await relay.mint(verbatim), headers });
    await client.ask('Hello?');
    await client.close();
    await relay.transcript(client.id);
    return client.id;
  };
  const unsampled = [
    await talk({}, {}),
    await talk({}, { traceparent: parent('a', '00') }),
    await talk({ metadata: { traceparent: parent('b', '00') } }, { traceparent: parent('a', '01') }),
    await talk({}, { traceparent: `${parent('a', '01')}-more` }),
  ];
  const byHeader = await collector.conversation(await talk({}, { traceparent: parent('c', '01') }));
  const byToken = await collector.conversation(
    await talk({ metadata: { traceparent: parent('d', '01') } }, { traceparent: parent('e', '01') }),
  );
  for (const [spans, digit] of [
    [byHeader, 'c'],
    [byToken, 'd'],
  ]) {
    const root = one(spans, 'verbatim.session.open');
    assert.deepEqual([root.trace, root.parent], [digit.repeat(32), digit.repeat(16)]);
    assertTree(spans, root);
  }
  const traced = new Set(collector.spans.map(({ attributes }) => attributes['gen_ai.conversation.id']));
  for (const id of unsampled) assert.ok(!traced.has(id), 'an unsampled conversation has no spans');
});

/** Servers that do not work as collectors. Each returns its address and the outcome of its spans. */
const useless = {
  absent: async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.on('listening', resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return [`http://127.0.0.1:${port}`, 'failed'];
  },
  hanging: async (t) => [(await Collector.start(t, () => undefined)).url, 'waiting'],
  overloaded: async (t) => [(await Collector.start(t, () => 429)).url, 'failed'],
  broken: async (t) => [(await Collector.start(t, () => 500)).url, 'rejected'],
  garbage: async (t) => {
    const server = net.createServer((socket) => socket.on('error', () => {}).end('\0\x01 not HTTP at all\r\n\r\n'));
    return [await listening(t, server), 'failed'];
  },
  'cut in the middle': async (t) => {
    const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"par';
    const server = net.createServer((socket) => socket.on('error', () => {}).on('data', () => socket.end(head)));
    return [await listening(t, server), 'failed'];
  },
};

async function listening(t, server) {
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.on('listening', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** Outcome -> number of spans. */
async function counted(relay) {
  const { text } = await relay.request('/metrics');
  const counts = Object.fromEntries(
    [...text.matchAll(/^verbatim_trace_spans_total\{outcome="(\w+)"\} (\d+)$/gm)].map(([, outcome, count]) => [outcome, Number(count)]),
  );
  return { ...counts, waiting: Number(/^verbatim_trace_spans_waiting (\d+)$/m.exec(text)[1]) };
}

test('a dead or slow collector costs no conversation anything', async (t) => {
  const simulator = await startSimulator(t);
  for (const [kind, start] of Object.entries(useless)) {
    await t.test(`${kind}: conversations end whole, the queue stays bounded and drops are counted [P11]`, async (t) => {
      const [url, outcome] = await start(t);
      const retries = ['trace.tries_max=2', 'trace.retry_min=10ms', 'trace.retry_max=10ms'];
      const relay = await startRelay(t, {
        simulator,
        set: tracing(url, 'trace.queue_max=8', 'trace.batch_max=4', 'trace.timeout=5m', ...retries),
      });
      const client = await Client.connectWithId(t, relay);
      for (let turn = 0; turn < 30; ++turn) {
        const events = await client.ask(`Question ${turn}?`);
        assert.equal(events.at(-1).response.status, 'completed');
      }
      await client.close();
      const transcript = await relay.transcript(client.id);
      assert.equal(transcript.turns.length, 60);
      assert.equal(transcript.complete, true);
      // The spans are 35: open, dial, 30 answers, close, and that of the recovery at start.
      const counts = await eventually(async () => {
        const now = await counted(relay);
        return now[outcome] > 0 && now.exported + now.rejected + now.failed + now.dropped + now.waiting >= 34 && now;
      }, 'the metrics');
      assert.equal(counts.exported, 0);
      assert.ok(counts.waiting <= 8, `${counts.waiting} spans wait`);
      if (kind === 'hanging') assert.ok(counts.dropped >= 34 - 8, 'a full queue drops');
      assert.equal((await relay.request('/readyz')).status, 200);
      assert.equal((await relay.program.stop('SIGTERM')).code, 0);
    });
  }
});

test('a batch is sent again after the statuses that OTLP names, and after no other', async (t) => {
  const statuses = [429, 502, 503, 504, 200];
  const collector = await Collector.start(t, (n) => statuses[n] ?? 200);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: tracing(collector.url, 'trace.retry_min=10ms', 'trace.retry_max=10ms'),
  });
  await collector.until(({ requests }) => requests.length >= 5, 'five requests');
  const [first, ...again] = collector.requests.slice(0, 5).map(({ text }) => text);
  for (const text of again) assert.equal(text, first, 'the same batch');
  assert.equal((await counted(relay)).exported, 1, 'the span of the recovery at start');
});

test('spans that the collector rejects are counted, and Retry-After is kept', async (t) => {
  const collector = await Collector.start(t, (n, response) => {
    if (n === 0) response.writeHead(503, { 'retry-after': '1' }).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{"partialSuccess":{"rejectedSpans":"1"}}');
  });
  // Without Retry-After the second try would come after an hour.
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: tracing(collector.url, 'trace.retry_min=1h', 'trace.retry_max=1h'),
  });
  await collector.until(({ requests }) => requests.length >= 2, 'the second try');
  const counts = await eventually(async () => {
    const now = await counted(relay);
    return now.waiting === 0 && now;
  }, 'the metrics');
  assert.deepEqual([counts.exported, counts.rejected, counts.failed], [0, 1, 0]);
});

test('a relay that was killed has a span of its recovery [P7]', async (t) => {
  const collector = await Collector.start(t);
  const simulator = await startSimulator(t);
  const before = await startRelay(t, { simulator });
  const client = await Client.connectWithId(t, before);
  await client.ask('Who is there?');
  await before.program.stop('SIGKILL');
  const relay = await startRelay(t, { simulator, dataDir: before.dataDir, key: before.keyPair, set: tracing(collector.url) });
  const span = await collector.until(({ spans }) => named(spans, 'verbatim.recovery')[0], 'the recovery');
  assert.deepEqual(
    [span.parent, span.attributes['verbatim.clean'], span.attributes['verbatim.sessions']],
    [undefined, false, 1],
  );
  const [event] = span.events;
  assert.equal(event.name, 'verbatim.session.recovered');
  assert.equal(event.attributes['gen_ai.conversation.id'], client.id);
  assert.equal(event.attributes['verbatim.turns'], (await relay.transcript(client.id)).turns.length);
});

test('lost connections have spans: the provider is dialled again, and the client comes back [P8]', async (t) => {
  const collector = await Collector.start(t);
  const provider = await Provider.start(t);
  const relay = await startRelay(t, {
    simulator: provider,
    set: tracing(
      collector.url,
      ...['session.resume_window=60s', 'upstream.reconnect_attempts_max=3', 'upstream.reconnect_pause_min=10ms'],
    ),
  });
  const session = { type: 'realtime', id: 'sess_p' };
  const token = await relay.mint();
  const client = await Client.connectWithId(t, relay, { token, query: { model: 'lossy' } });
  const first = await provider.line('lossy');
  first.say({ type: 'session.created', session });
  answer(first, { id: 'item_a1', text: 'Cut off', done: false });
  await client.event('response.output_audio_transcript.delta');
  first.vanish();
  (await provider.line('lossy')).takeRebuild({ ...session, id: 'sess_q' });
  await client.until(({ events }) => events.some(({ type, state }) => type === 'verbatim.upstream' && state === 'restored'), 'restored');
  client.socket.terminate();
  const back = await Client.connectWithId(t, relay, { token, query: { model: 'lossy', session: client.id } });
  back.send({ type: 'verbatim.end' });
  const spans = await collector.conversation(client.id);
  assertTree(spans, one(spans, 'verbatim.session.open'));
  const dials = named(spans, 'verbatim.upstream.dial').sort((a, b) => a.start - b.start);
  assert.deepEqual(dials.map(({ attributes }) => attributes['verbatim.purpose']), ['first', 'restore']);
  const restore = one(spans, 'verbatim.upstream.restore');
  assert.deepEqual([restore.attributes['verbatim.outcome'], restore.attributes['verbatim.tries']], ['restored', 1]);
  const lost = one(spans, 'generate_live_content');
  assert.deepEqual([lost.attributes['verbatim.end_reason'], lost.failed], ['connection_lost', true]);
  assert.match(one(spans, 'verbatim.client.resume').attributes['verbatim.outcome'], /^(replayed|snapshot)$/);
});

test('a call to a webhook joins the trace of its conversation, and each try has a span', async (t) => {
  const calls = [];
  const server = http.createServer((request, response) => {
    calls.push(request.headers.traceparent);
    request.resume().on('end', () => response.writeHead(calls.length === 1 ? 503 : 204).end());
  });
  const url = await listening(t, server);
  const collector = await Collector.start(t);
  const secret = join(temporaryDirectory(t), 'webhook');
  writeFileSync(secret, `whsec_${Buffer.alloc(32, 7).toString('base64')}`, { mode: 0o600 });
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: tracing(
      collector.url,
      `webhook.targets=[{ name = "crm", url = "${url}/", secret_file = "${secret}", allow_private = true, events = ["session.ended"] }]`,
      ...['webhook.settle=0s', 'webhook.retry_min=10ms'],
    ),
  });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Hello?');
  await client.close();
  const spans = await collector.until(
    ({ spans: all }) => named(all, 'verbatim.webhook.delivery').length === 2 && named(all, 'verbatim.webhook.delivery'),
    'two calls',
  );
  const root = one(await collector.conversation(client.id), 'verbatim.session.open');
  spans.sort((a, b) => a.attributes['verbatim.tries'] - b.attributes['verbatim.tries']);
  assert.deepEqual(spans.map(({ trace, id }) => `00-${trace}-${id}-01`), calls);
  for (const span of spans) assert.deepEqual([span.trace, span.parent], [root.trace, root.id]);
  assert.deepEqual(
    spans.map(({ failed, attributes }) => [
      failed,
      ...['verbatim.webhook', 'verbatim.event_type', 'verbatim.outcome', 'http.response.status_code'].map((name) => attributes[name]),
    ]),
    [
      [true, 'crm', 'session.ended', 'waiting', 503],
      [false, 'crm', 'session.ended', 'delivered', 204],
    ],
  );
});

test('a stop sends the spans that are left, before the process is gone', async (t) => {
  const collector = await Collector.start(t);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [`trace.otlp_url=${collector.url}`, 'trace.batch_interval=5m'],
  });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Hello?');
  assert.equal(collector.requests.length, 0);
  assert.equal((await relay.program.stop('SIGTERM')).code, 0);
  const spans = await collector.conversation(client.id);
  const [ended] = one(spans, 'verbatim.session.close').events;
  assert.equal(ended.attributes['verbatim.close_reason'], 'server_shutdown');
});

test('authorities that cannot be read, and headers without a name, are refused at the start and by check', async (t) => {
  const directory = temporaryDirectory(t);
  const bad = join(directory, 'bad');
  writeFileSync(bad, 'no-certificate-and-no-header\n', { mode: 0o600 });
  for (const [key, why] of [
    ['trace.ca_file', 'cannot be used'],
    ['trace.otlp_headers_file', 'write name=value,name=value'],
  ]) {
    const settings = ['trace.otlp_url=https://127.0.0.1:9', `${key}=${bad}`, `server.data_dir=${join(directory, 'data')}`, 'server.listen=127.0.0.1:0'];
    for (const command of ['serve', 'check']) {
      const { code, stderr, stdout } = await run([command, ...settings.flatMap((one) => ['--set', one])]);
      assert.notEqual(code, 0, `${command} with a bad ${key}`);
      assert.ok((stderr + stdout).includes(why), stderr + stdout);
      assert.ok(!(stderr + stdout).includes('no-certificate-and-no-header'), 'the content of a secret is not shown');
    }
  }
});

test('without trace.otlp_url nothing is traced', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay, { headers: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } });
  await client.ask('Hello?');
  await client.close();
  await relay.transcript(client.id);
  assert.deepEqual(await counted(relay), { exported: 0, rejected: 0, failed: 0, dropped: 0, waiting: 0 });
});
