// Public clients of the beta protocol talk to a provider that accepts only GA. Only the URL is changed.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, startRelay, startSimulator } from './support/verbatim.mjs';

const script = fileURLToPath(new URL('support/beta.mjs', import.meta.url));
const major = Number(process.versions.node.split('.')[0]);
const withNative = major >= 20 && major < 22 ? ['--experimental-websocket'] : [];

async function converse(t, client, nodeOptions = []) {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const token = await relay.mint({ user: client });
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...nodeOptions, script, client, relay.url, token],
    { env: { ...process.env, NODE_EXTRA_CA_CERTS: relay.certificate }, timeout: 20_000 },
  );
  const listed = await relay.request(`/v1/sessions?user=${client}`);
  return { seen: JSON.parse(stdout), transcript: await relay.transcript(listed.json.sessions[0].id) };
}

const words = ({ turns }, wanted) =>
  turns.filter(({ role }) => role === wanted).map(({ text }) => text);

// GA's names must not be seen, and beta's must.
const heard = [
  'conversation.item.created',
  'response.audio.delta',
  'response.audio.done',
  'response.audio_transcript.delta',
  'response.audio_transcript.done',
  'response.content_part.added',
  'response.content_part.done',
  'response.created',
  'response.done',
  'response.output_item.added',
  'response.output_item.done',
  'response.text.delta',
  'response.text.done',
  'session.created',
  'session.updated',
];

function assertBeta({ seen, transcript }) {
  assert.deepEqual(seen.types.filter((type) => type !== 'rate_limits.updated'), heard);
  assert.deepEqual(words(transcript, 'user'), ['First?', 'Second?', 'Third?']);
  const kept = words(transcript, 'assistant');
  assert.deepEqual(seen.answers.map(({ text, transcript: spoken }) => text + spoken), kept);
  for (const [i, { status, modalities, audio, content }] of seen.answers.entries()) {
    const written = i === 1;
    assert.equal(status, 'completed');
    assert.deepEqual(modalities, written ? ['text'] : ['text', 'audio']);
    assert.equal(audio > 0, !written);
    assert.equal(content[0].type, written ? 'text' : 'audio');
    assert.equal(content[0][written ? 'text' : 'transcript'], kept[i]);
  }
  for (const item of seen.created) assert.equal(item.object, 'realtime.item');
  assert.equal(seen.created.length, 6);
  const { session } = seen;
  const { modalities, voice, input_audio_format, output_audio_format, turn_detection } = session;
  assert.deepEqual(
    { modalities, voice, input_audio_format, output_audio_format, turn_detection },
    {
      ...{ modalities: ['text', 'audio'], voice: 'echo', turn_detection: null },
      ...{ input_audio_format: 'g711_ulaw', output_audio_format: 'pcm16' },
    },
  );
  assert.equal(session.input_audio_transcription.model, 'whisper-1');
  assert.equal(session.max_response_output_tokens, 4096);
  assert.equal(session.instructions, 'Answer.');
  for (const name of ['audio', 'type', 'output_modalities', 'max_output_tokens'])
    assert.equal(session[name], undefined, name);
}

test('openai, the beta OpenAIRealtimeWS [P9]', async (t) => {
  assertBeta(await converse(t, 'beta-ws'));
});

const withoutNative = major < 20 && 'this Node has no WebSocket of its own';
test('openai, the beta OpenAIRealtimeWebSocket [P9]', { skip: withoutNative }, async (t) => {
  assertBeta(await converse(t, 'beta-native', withNative));
});

function assertKeeper({ seen, transcript }) {
  // The one error is the provider's: there was nothing to cancel when the answer was truncated.
  assert.deepEqual(seen.errors, ['response_cancel_not_active']);
  assert.equal(seen.calls, 1);
  const messages = seen.items.filter(({ kind }) => kind === 'message');
  const typed = ['First?', 'Second?', 'Third?', 'Call get_weather, please.'];
  assert.deepEqual(words(transcript, 'user'), [...typed, seen.heardAs]);
  assert.ok(seen.heardAs.length > 0);
  assert.deepEqual(
    messages.filter(({ role }) => role === 'user').map(({ text, transcript: spoken }) => text + spoken),
    words(transcript, 'user'),
  );
  const answers = messages.filter(({ role }) => role === 'assistant');
  assert.ok(answers.every(({ status, samples }) => status === 'completed' && samples > 0));
  answers.at(-1).transcript = seen.keptBefore; // the provider forgot the part that was not heard
  assert.deepEqual(answers.map(({ transcript: spoken }) => spoken), words(transcript, 'assistant'));
  const last = transcript.turns.filter(({ role }) => role === 'assistant').at(-1);
  assert.equal(last.status, 'truncated');
  assert.equal(last.heard.audio_ms, 100);
  assert.deepEqual(
    seen.items.filter(({ kind }) => kind !== 'message').map(({ kind }) => kind),
    ['function_call', 'function_call_output'],
  );
}

test('openai-realtime-api, by header [P9]', { skip: major >= 22 && 'it has a native one' }, async (t) => {
  const conversation = await converse(t, 'keeper');
  assert.equal(conversation.seen.native, false);
  assertKeeper(conversation);
});

test('openai-realtime-api, by subprotocol [P9]', { skip: withoutNative }, async (t) => {
  const conversation = await converse(t, 'keeper', withNative);
  assert.equal(conversation.seen.native, true);
  assertKeeper(conversation);
});

test('a token of the beta endpoint binds a session in beta shape [P9]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const asked = { modalities: ['text'], voice: 'verse', temperature: 0.6, verbatim: { user: 'ann' } };
  const answer = await relay.request('/v1/realtime/sessions', { method: 'POST', body: asked });
  assert.equal(answer.status, 200, answer.text);
  const { client_secret: secret, object, modalities, voice, verbatim } = answer.json;
  assert.deepEqual({ object, modalities, voice }, { object: 'realtime.session', modalities: ['text'], voice: 'verse' });
  assert.equal(verbatim.user, 'ann');
  const client = await Client.connect(t, relay, {
    token: secret.value,
    headers: { 'openai-beta': 'realtime=v1' },
  });
  const { session } = await client.event('session.created');
  assert.deepEqual([session.modalities, session.voice], [['text'], 'verse']);
  const events = await client.ask('In writing?');
  assert.ok(events.some(({ type }) => type === 'response.text.delta'));
  await client.close();
});

test('a client that opts into another beta feature is a GA client [P9]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connect(t, relay, { headers: { 'openai-beta': 'assistants=v2' } });
  const events = await client.ask('As it is?');
  assert.ok(events.some(({ type }) => type === 'conversation.item.done'));
  await client.close();
});

test("a beta client's errors are answered, and it can continue [P11]", async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connect(t, relay, { headers: { 'openai-beta': 'realtime=v1' } });
  client.send('{"type":"session.update","session":{"voice":"a"}');
  assert.equal((await client.event('error')).error.code, 'invalid_json');
  const from = client.events.length;
  client.send({ type: 'session.update', event_id: 'mine', session: { input_audio_format: 'mp3' } });
  const { error } = await client.event('error', from);
  assert.equal(error.event_id, 'mine');
  assert.equal(error.param, 'session.input_audio_format');
  assert.equal((await client.ask('Still there?')).at(-1).response.status, 'completed');
  await client.close();
});
