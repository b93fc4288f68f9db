// Public SDKs hold a conversation through the relay: only the URL is changed.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Provider } from './support/provider.mjs';
import { Client, startRelay, startSimulator, within } from './support/verbatim.mjs';

const script = fileURLToPath(new URL('support/sdk.mjs', import.meta.url));
const major = Number(process.versions.node.split('.')[0]);
const nodeOptions = major >= 20 && major < 22 ? ['--experimental-websocket'] : [];

async function converse(t, client, set = [], faults = []) {
  const relay = await startRelay(t, { simulator: await startSimulator(t, faults), set });
  const token = await relay.mint({ user: client });
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...nodeOptions, script, client, relay.url, token],
    { env: { ...process.env, NODE_EXTRA_CA_CERTS: relay.certificate }, timeout: 20_000 },
  );
  const listed = await relay.request(`/v1/sessions?user=${client}`);
  const transcript = await relay.transcript(listed.json.sessions[0].id);
  return { seen: JSON.parse(stdout), transcript };
}

function assertKept(transcript) {
  assert.deepEqual(
    transcript.turns.filter(({ role }) => role === 'user').map(({ text }) => text),
    ['First?', 'Second?', 'Third?'],
  );
  assert.equal(transcript.turns.filter(({ role }) => role === 'assistant').length, 3);
}

const answers = ['completed', 'completed', 'completed'];

test('openai, OpenAIRealtimeWS [P9]', async (t) => {
  const { seen, transcript } = await converse(t, 'ws');
  assert.deepEqual(seen, { first: 'session.created', answers });
  assertKept(transcript);
});

test('openai, OpenAIRealtimeWS with reconnect: its line is cut twice and the conversation is one [P8][P9]', async (t) => {
  const { seen, transcript } = await converse(t, 'dropped', ['session.resume_window=30s']);
  assert.deepEqual(seen.answers, answers);
  assert.equal(seen.reconnected, 2);
  assert.ok(seen.repeated >= 4, 'the client gets the earlier items again'); // two items, then four
  assert.equal(transcript.attempt, 1);
  assertKept(transcript);
});

/** Cut answers are `incomplete`, the others `completed`; no turn is in an error state. */
function assertCutAndWhole({ seen, transcript }) {
  assert.equal(seen.answers.length, 3);
  assert.ok(seen.answers.every((status) => ['completed', 'incomplete'].includes(status)), seen.answers);
  assert.equal(transcript.attempt, 1);
  assert.deepEqual(
    transcript.turns.filter(({ role }) => role === 'user').map(({ text }) => text),
    ['First?', 'Second?', 'Third?'],
  );
}
const cutProvider = ['--faults', 'drop_after=35'];
const reconnects = ['upstream.reconnect_attempts_max=20', 'upstream.reconnect_pause_min=10ms'];

test('openai, OpenAIRealtimeWS: upstream connections are cut again and again, and it does not notice [P8][P9]', async (t) => {
  assertCutAndWhole(await converse(t, 'ws', reconnects, cutProvider));
});

const withoutNative = major < 20 && 'this Node has no WebSocket of its own';
test('openai, OpenAIRealtimeWebSocket [P9]', { skip: withoutNative }, async (t) => {
  const { seen, transcript } = await converse(t, 'native');
  assert.deepEqual(seen, { first: 'session.created', answers });
  assertKept(transcript);
});

// The same for the SDK that tracks items and interrupts by itself; used as below.
test('@openai/agents-realtime: upstream connections are cut again and again, and it does not notice [P8][P9]', { skip: major < 20 }, async (t) => {
  assertCutAndWhole(await converse(t, 'agents', reconnects, cutProvider));
});

// Its dependency @modelcontextprotocol/client needs Node 20; npm leaves it out on older versions.
const withoutAgents = major < 20 && 'this package does not run on a Node below 20';
test('@openai/agents-realtime, RealtimeSession [P9]', { skip: withoutAgents }, async (t) => {
  const { seen, transcript } = await converse(t, 'agents');
  assert.deepEqual(seen.answers, answers);
  assert.equal(seen.history.filter((role) => role === 'user').length, 3);
  assertKept(transcript);
});

// The first connection speaks. Then the SDK resumes with the same token and knows only what the relay sends it.
test('@openai/agents-realtime shows the text of speech before it resumed [P8][P9]', { skip: withoutAgents }, async (t) => {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`, 'session.resume_window=30s'] });
  const token = await relay.mint({ user: 'ann' });
  const first = await Client.connect(t, relay, { token, query: { model: 'm' } });
  const line = await within(Promise.resolve(provider.line('m')), 'the provider’s line');
  line.socket.on('message', (data) => {
    const { type, session } = JSON.parse(data);
    if (type === 'session.update') line.say({ type: 'session.updated', session });
  });
  const transcription = { model: 'whisper-1' };
  line.say({ type: 'session.created', session: { type: 'realtime', id: 'sess_p', audio: { input: { transcription } } } });
  let last = null;
  for (const [id, words] of [['item_u1', 'Good morning.'], ['item_u2', 'Is anybody there?']]) {
    const item = { id, type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_audio', transcript: null }] };
    line.say({ type: 'input_audio_buffer.committed', item_id: id, previous_item_id: last });
    line.say({ type: 'conversation.item.added', previous_item_id: last, item });
    line.say({ type: 'conversation.item.done', previous_item_id: last, item });
    line.say({ type: 'conversation.item.input_audio_transcription.completed', item_id: id, content_index: 0, transcript: words });
    last = id;
  }
  await first.until(({ events }) => events.filter(({ transcript }) => transcript).length === 2, 'the words');
  first.socket.terminate();
  await first.closed;
  const { stdout } = await promisify(execFile)(process.execPath, [...nodeOptions, script, 'returned', relay.url, token], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: relay.certificate },
    timeout: 20_000,
  });
  assert.deepEqual(JSON.parse(stdout), {
    said: ['Good morning.', 'Is anybody there?'],
    types: ['input_audio', 'input_audio'],
  });
});
