// Tool calls in the transcript, beside the turns, through losses, restarts and erasures.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Provider } from './support/provider.mjs';
import { acceptItems, answer, functionCall } from './support/spoken.mjs';
import { recordings } from './support/recording.mjs';
import { Client, run, startRelay } from './support/verbatim.mjs';

const resumable = ['session.resume_window=30s', 'upstream.reconnect_attempts_max=5', 'upstream.reconnect_pause_min=20ms'];

/** A conversation whose provider is the test. */
async function converse(t, { set = [], ...options } = {}) {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { simulator: provider, set, ...options });
  const connected = provider.line('tools');
  const token = await relay.mint();
  const client = await Client.connectWithId(t, relay, { token, query: { model: 'tools' } });
  const line = await connected;
  line.say({ type: 'session.created', session: { type: 'realtime', id: 'sess_1' } });
  acceptItems(line);
  return { provider, relay, client, line, token };
}

const output = (call_id, text, id) => ({
  type: 'conversation.item.create',
  item: { type: 'function_call_output', call_id, output: text, ...(id ? { id } : {}) },
});

const placed = (client, type) =>
  client.until(
    ({ events }) => events.find((event) => event.type === 'conversation.item.done' && event.item.type === type),
    `a ${type} that is placed`,
  );

test('a tool call is in the transcript with its arguments and its output [P1][P4]', async (t) => {
  const { relay, client, line } = await converse(t);
  client.send({
    type: 'conversation.item.create',
    item: { id: 'item_u', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Weather?' }] },
  });
  await placed(client, 'message');
  const args = '{"city":"Oslo & \\"Bergen\\""}';
  functionCall(line, { id: 'item_f', callId: 'call_1', name: 'get_weather', args, after: 'item_u' });
  client.send(output('call_1', '{"t":4}', 'item_o'));
  await placed(client, 'function_call_output');
  answer(line, { id: 'item_a', text: 'Four degrees.', after: 'item_o' });
  functionCall(line, { id: 'item_g', callId: 'call_2', name: 'never_answered', args: '{}', after: 'item_a' });
  await client.until(({ events }) => events.filter(({ type }) => type === 'response.done').length === 3, 'all');
  client.send({ type: 'verbatim.end' });
  const { turns, tool_calls: calls, receipt, complete } = await relay.transcript(client.id);
  assert.deepEqual(turns.map(({ text }) => text), ['Weather?', 'Four degrees.']);
  assert.ok(complete);
  const [first, second] = calls;
  assert.equal(calls.length, 2);
  const { started_at: from, ended_at: to, ...rest } = first;
  assert.deepEqual(rest, {
    ...{ after: 1, item_id: 'item_f', call_id: 'call_1', kind: 'function', name: 'get_weather' },
    ...{ arguments: args, output: '{"t":4}', status: 'completed', response_id: 'resp_item_f' },
  });
  assert.ok(from <= to);
  assert.deepEqual([second.after, second.status, second.output], [2, 'unanswered', null]);
  assert.deepEqual(
    [receipt.committed, receipt.tool_calls, receipt.tool_calls_unanswered, receipt.tool_calls_failed],
    [2, 2, 1, 0],
  );

  const as = async (format) =>
    (await relay.request(`/v1/sessions/${client.id}/transcript?format=${format}`)).text;
  const lines = (await as('jsonl')).trim().split('\n').map((one) => JSON.parse(one));
  assert.deepEqual(lines.map(({ name, text }) => name ?? text), [
    ...['Weather?', 'get_weather', 'Four degrees.', 'never_answered'],
  ]);
  for (const format of ['text', 'markdown']) assert.match(await as(format), /Weather\?[^]*get.*_weather[^]*Four/);
  for (const format of ['vtt', 'srt']) assert.doesNotMatch(await as(format), /get_weather/);

  const store = ['--set', `server.data_dir=${relay.dataDir}`];
  const exported = await run(['sessions', 'export', client.id, '--format', 'json', ...store]);
  assert.deepEqual(JSON.parse(exported.stdout).tool_calls, calls);
});

test('large arguments and outputs are kept whole, live, final and after a kill [P1][P7][P11]', async (t) => {
  const { provider, relay, client, line } = await converse(t);
  const args = JSON.stringify({ text: 'ä'.repeat(100_000) }); // 200 kB
  const result = 'o'.repeat(800_000);
  functionCall(line, { id: 'item_f', callId: 'call_1', name: 'summarise', args });
  await client.event('response.done');
  client.send(output('call_1', result));
  await placed(client, 'function_call_output');
  functionCall(line, { id: 'item_g', callId: 'call_2', name: 'cut_off', args, after: 'item_f', done: false });
  const deltas = Math.ceil(args.length / 16_384);
  await client.until(
    ({ events }) =>
      events.filter(({ type, item_id: id }) => type.endsWith('arguments.delta') && id === 'item_g').length === deltas,
    'the arguments of the second call',
  );
  const live = (await relay.request(`/v1/sessions/${client.id}/transcript`)).json.tool_calls;
  assert.deepEqual(live.map(({ status }) => status), ['completed', 'in_progress']);
  await relay.program.stop('SIGKILL');

  const next = await startRelay(t, { dataDir: relay.dataDir, key: relay.keyPair, simulator: provider });
  const { tool_calls: calls } = await next.transcript(client.id);
  assert.deepEqual(calls.map(({ name, status }) => [name, status]), [
    ['summarise', 'completed'],
    ['cut_off', 'unanswered'],
  ]);
  assert.ok(calls.every(({ arguments: kept }) => kept === args));
  assert.equal(calls[0].output, result);
});

test('an output that comes on a later connection answers its call [P8]', async (t) => {
  const { provider, relay, client, line } = await converse(t, { set: resumable });
  functionCall(line, { id: 'item_f', callId: 'call_1', name: 'get_weather', args: '{}' });
  await client.event('response.done');
  const second = provider.line('tools');
  line.vanish();
  const got = (await second).takeRebuild({ type: 'realtime', id: 'sess_2' });
  await client.until(
    ({ events }) => events.some(({ type, state }) => type === 'verbatim.upstream' && state === 'restored'),
    'another provider',
  );
  client.send(output('call_1', 'late', 'item_o'));
  await placed(client, 'function_call_output');
  assert.ok(got.some(({ item }) => item?.call_id === 'call_1' && item.type === 'function_call'));
  client.send({ type: 'verbatim.end' });
  const { tool_calls: calls } = await relay.transcript(client.id);
  assert.deepEqual(calls.map(({ output: kept, status }) => [kept, status]), [['late', 'completed']]);
});

test('an output that comes in another process answers its call [P14]', async (t) => {
  const set = [...resumable, 'server.restart=handover'];
  const { provider, relay, client, line, token } = await converse(t, { set });
  functionCall(line, { id: 'item_f', callId: 'call_1', name: 'get_weather', args: '{"a":1}' });
  await client.event('response.done');
  await relay.program.stop('SIGTERM');
  const next = await startRelay(t, {
    ...{ dataDir: relay.dataDir, key: relay.keyPair, simulator: provider, set },
  });
  const second = provider.line('tools');
  const query = { model: 'tools' };
  const again = await Client.connectWithId(t, next, { token, query });
  (await second).takeRebuild({ type: 'realtime', id: 'sess_2' });
  again.send(output('call_1', 'after the restart', 'item_o'));
  await placed(again, 'function_call_output');
  again.send({ type: 'verbatim.end' });
  const { tool_calls: calls } = await next.transcript(again.id);
  assert.deepEqual(
    calls.map(({ arguments: args, output: kept, status }) => [args, kept, status]),
    [['{"a":1}', 'after the restart', 'completed']],
  );
});

test('MCP calls are in the transcript with their approvals, outputs and errors [P9]', async (t) => {
  const { relay, client, line } = await converse(t);
  const item = { type: 'mcp_call', name: 'find', server_label: 'handbook', arguments: '{"q":"leave"}' };
  line.say({
    type: 'conversation.item.added',
    previous_item_id: null,
    item: { id: 'q1', type: 'mcp_approval_request', name: 'find', server_label: 'handbook', arguments: item.arguments },
  });
  await client.event('conversation.item.added');
  client.send({
    type: 'conversation.item.create',
    item: { id: 'a1', type: 'mcp_approval_response', approval_request_id: 'q1', approve: true },
  });
  await placed(client, 'mcp_approval_response');
  const begun = { ...item, id: 'm1', status: 'in_progress', approval_request_id: 'q1' };
  line.say({ type: 'conversation.item.added', previous_item_id: 'a1', item: begun });
  line.say({ type: 'response.mcp_call.in_progress', item_id: 'm1', output_index: 0 });
  line.say({ type: 'response.mcp_call.completed', item_id: 'm1', output_index: 0 });
  const whole = { ...begun, status: 'completed', output: 'Thirty days.', error: null };
  line.say({ type: 'conversation.item.done', previous_item_id: 'a1', item: whole });
  const error = { type: 'http_error', code: 502, message: 'bad gateway' };
  line.say({ type: 'conversation.item.added', previous_item_id: 'm1', item: { ...item, id: 'm2', error } });
  await client.until(({ events }) => events.some(({ item: one }) => one?.id === 'm2'), 'the second call');
  client.send({ type: 'verbatim.end' });
  const { tool_calls: calls, receipt } = await relay.transcript(client.id);
  assert.deepEqual(
    calls.map((call) => [call.item_id, call.kind, call.server_label, call.output, call.status]),
    [
      ['m1', 'mcp', 'handbook', 'Thirty days.', 'completed'],
      ['m2', 'mcp', 'handbook', null, 'failed'],
    ],
  );
  assert.deepEqual(calls[0].approval, { request_id: 'q1', approve: true, reason: null });
  assert.deepEqual(calls[1].error, error);
  assert.equal(receipt.tool_calls_failed, 1);
});

test('subscribers of a session get its tool calls as they come', async (t) => {
  const { relay, client, line } = await converse(t, { set: ['events.interval=20ms'] });
  functionCall(line, { id: 'item_f', callId: 'call_1', name: 'get_weather', args: '{}' });
  await client.event('response.done');
  const watched = relay.request(`/v1/sessions/${client.id}/events`);
  client.send(output('call_1', 'four'));
  await placed(client, 'function_call_output');
  client.send({ type: 'verbatim.end' });
  const blocks = (await watched).text.split('\n\n').filter((block) => /^event: tool_call/m.test(block));
  const calls = blocks.map((block) => JSON.parse(/^data: (.*)$/m.exec(block)[1]));
  const last = calls.at(-1);
  assert.deepEqual([last.number, last.name, last.status, last.output], [1, 'get_weather', 'completed', 'four']);
});

test('arguments and outputs are in no log line, and after an erasure in no file [P10]', async (t) => {
  const { relay, client, line } = await converse(t, { set: ['log.level=debug'] });
  const secret = 'swordfish';
  functionCall(line, { id: 'item_f', callId: 'call_1', name: 'look_up', args: JSON.stringify({ secret }) });
  await client.event('response.done');
  client.send(output('call_1', `${secret} found`));
  await placed(client, 'function_call_output');
  client.send({ type: 'verbatim.end' });
  const { tool_calls: calls } = await relay.transcript(client.id);
  assert.ok(calls[0].output.includes(secret));
  await client.closed;
  const erased = await relay.request(`/v1/sessions/${client.id}`, { method: 'DELETE' });
  assert.ok([202, 204].includes(erased.status), erased.text);
  await relay.program.stop('SIGTERM');
  assert.ok(!(relay.program.stdout + relay.program.stderr).includes(secret));
  for (const name of readdirSync(relay.dataDir, { recursive: true })) {
    const file = join(relay.dataDir, name);
    if (statSync(file).isFile()) assert.ok(!readFileSync(file).includes(secret), `${name} has it`);
  }
});

test('a replayed recording shows its tool calls', async () => {
  const file = join(recordings, 'ga-openai-tool-call-round.jsonl');
  const { stdout, code } = await run(['replay', file, '--json']);
  assert.equal(code, 0);
  const { tool_calls: calls } = JSON.parse(stdout);
  assert.ok(calls.length >= 1);
  for (const call of calls) {
    assert.ok(call.name);
    JSON.parse(call.arguments);
    assert.equal(call.status, 'completed');
    assert.notEqual(call.output, null);
  }
});
