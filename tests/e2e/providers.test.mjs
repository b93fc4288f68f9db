// One conversation with each provider that the simulator plays: speech, typed words, a function call, talking
// over an answer, a lost connection, as far as that provider has them. The transcript has every word in its
// place, for every provider's variant of the protocol.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Line } from './support/line.mjs';
import { Client, startRelay, startSimulator } from './support/verbatim.mjs';

/** PCM16: loud, or not. */
function sound(ms, rate, loud) {
  const samples = Int16Array.from({ length: (ms * rate) / 1000 }, (_, i) =>
    loud ? 9000 * Math.sign(Math.sin(i / 8)) : 0,
  );
  return Buffer.from(samples.buffer).toString('base64');
}

const weather = {
  type: 'function',
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
};

// The simulator's words with its first seed (simulator/script.cpp).
const answers = {
  1: 'Let me think about that for a moment. Honey keeps for centuries, because hardly anything can live in so little water.',
  5: 'Right, let us go on from there. Would you like to go through the details step by step, or shall I sum up first?',
};
const asked = 'What is it called?';
const wanted = 'Please call get_weather for Oslo.';
const long = Array.from({ length: 60 }, (_, i) => `word${i}`).join(' ');

class Conversation {
  constructor(client, rate) {
    Object.assign(this, { client, rate });
  }

  static async begin(t, profile, options = {}) {
    const { path = '/v1/realtime', query = '', auth, set = [], rate = 24_000, faults = '', pace = '0.3' } = options;
    const simulator = await startSimulator(t, ['--profile', profile], pace);
    const url = new URL(path + query, simulator.url);
    const line = await Line.open(t, url.href);
    const relay = await startRelay(t, {
      set: [
        `upstream.url=${line.url}`,
        ...(auth ? [`upstream.auth=${auth}`] : []),
        'upstream.reconnect_attempts_max=3',
        'upstream.reconnect_pause_min=10ms',
        'session.transcription_grace=5s',
        ...set,
      ],
    });
    const client = await Client.connectWithId(t, relay, { query: { model: `any${faults}` } });
    return Object.assign(new Conversation(client, rate), { relay, line, simulator });
  }

  configure(session = {}) {
    this.client.send({
      type: 'session.update',
      session: { type: 'realtime', tools: [weather], ...session },
    });
  }

  /** One utterance of about a second, found by the provider's turn detection. */
  say() {
    for (const [ms, loud] of [[900, true], [600, false]])
      this.client.send({ type: 'input_audio_buffer.append', audio: sound(ms, this.rate, loud) });
  }

  async answered(from, type = 'response.done') {
    return this.client.event(type, from);
  }

  async speak() {
    const from = this.client.events.length;
    this.say();
    await this.answered(from);
  }

  /** For providers to which the client must report the end of speech. */
  async commit() {
    const from = this.client.events.length;
    this.say();
    this.client.send({ type: 'input_audio_buffer.commit' });
    await this.answered(from, 'response.output_audio.done');
  }

  type(text, response = {}) {
    const from = this.client.events.length;
    const content = [{ type: 'input_text', text }];
    this.client.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content },
    });
    this.client.send({ type: 'response.create', response });
    return from;
  }

  async ask(text) {
    await this.answered(this.type(text));
  }

  /** A function's call, its output, and the words about it. */
  async call(ends = 'response.done') {
    const from = this.type(wanted);
    const { call_id } = await this.client.event('response.function_call_arguments.done', from);
    await this.client.event(ends, from);
    const again = this.client.events.length;
    this.client.send({
      type: 'conversation.item.create',
      item: { type: 'function_call_output', call_id, output: 'Four degrees and rain.' },
    });
    this.client.send({ type: 'response.create' });
    await this.answered(again);
  }

  /** The user talks over a long answer, and is answered. */
  async interrupt(first = 'response.output_audio_transcript.delta') {
    const from = this.type(long);
    await this.client.event(first, from);
    await this.speak();
    await this.client.until(
      () => this.client.events.slice(from).filter(({ type }) => type === 'response.done').length > 1,
      'the answer to what was said over the first',
    );
  }

  async lose() {
    const from = this.client.events.length;
    this.line.cut();
    await this.client.until(
      () =>
        this.client.events
          .slice(from)
          .some(({ type, state }) => type === 'verbatim.upstream' && state === 'restored'),
      'another connection to the provider',
    );
  }

  async end() {
    this.client.send({ type: 'verbatim.end' });
    return this.relay.transcript(this.client.id);
  }
}

const shown = ({ turns }) => turns.map(({ role, status, text }) => `${role} ${status}: ${text}`);
const heard = (n) => new RegExp(`^user completed: .* utterance ${n}, about one second long\\.$`);

/** Line by line: texts as they are, or what they look like. */
function assertLines(transcript, lines) {
  const got = shown(transcript);
  const all = JSON.stringify(got, null, 1);
  assert.equal(got.length, lines.length, all);
  lines.forEach((line, i) => {
    if (line instanceof RegExp) assert.match(got[i], line, all);
    else assert.equal(got[i], line, all);
  });
}

const cut = /^assistant cancelled: You said\b/;

/** A conversation that runs with every provider that has conversations. */
async function wholeConversation(it, { first, call } = {}) {
  it.configure();
  await it.speak();
  await it.ask(asked);
  await it.call(call);
  await it.interrupt(first);
  await it.lose();
  await it.ask('Are you still there?');
}

const wholeTranscript = (before = []) => [
  heard(1),
  `assistant completed: ${answers[1]}`,
  `user completed: ${asked}`,
  `assistant completed: You said: ${asked}`,
  `user completed: ${wanted}`,
  ...before,
  'assistant completed: The tool says: Four degrees and rain.',
  `user completed: ${long}`,
  cut,
  heard(2),
  /^assistant completed: .+/,
  'user completed: Are you still there?',
  'assistant completed: You said: Are you still there?',
];

test('a conversation with OpenAI is whole and in order [P4][P8][P9]', async (t) => {
  const it = await Conversation.begin(t, 'openai');
  await wholeConversation(it);
  const transcript = await it.end();
  assertLines(transcript, wholeTranscript());
  assert.equal(transcript.complete, true, JSON.stringify(transcript.gaps));
});

const azure = { path: '/openai/v1/realtime', auth: 'api_key_header' };

test('a conversation with Azure is whole and in order, with its own path, key and deployments [P4][P8][P9]', async (t) => {
  const it = await Conversation.begin(t, 'azure', {
    ...azure,
    set: ['session.transcription_model=transcribe'],
  });
  await wholeConversation(it);
  const transcript = await it.end();
  assertLines(transcript, wholeTranscript());
  assert.equal(transcript.complete, true, JSON.stringify(transcript.gaps));
});

test('a transcription model that Azure has not deployed leaves a turn and a gap, not a silence [P13]', async (t) => {
  const it = await Conversation.begin(t, 'azure', azure);
  await it.speak();
  const transcript = await it.end();
  assertLines(transcript, ['user failed: ', `assistant completed: ${answers[1]}`]);
  assert.equal(transcript.complete, false);
});

test('a conversation with xAI is whole and in order, though it names no predecessors [P4][P8][P9]', async (t) => {
  const it = await Conversation.begin(t, 'xai');
  await wholeConversation(it);
  const seen = new Set(it.client.events.map(({ type }) => type));
  for (const strange of ['conversation.created', 'ping']) assert.ok(seen.has(strange), strange);
  assert.ok(seen.has('conversation.item.input_audio_transcription.updated'));
  const transcript = await it.end();
  assertLines(transcript, wholeTranscript(['assistant completed: Let me look that up.']));
  assert.equal(transcript.complete, true, JSON.stringify(transcript.gaps));
});

test('xAI without session.created: the conversation still begins [P9]', async (t) => {
  const it = await Conversation.begin(t, 'xai', { faults: '+no_session_created' });
  it.configure();
  await it.speak();
  const transcript = await it.end();
  assertLines(transcript, [heard(1), `assistant completed: ${answers[1]}`]);
  assert.equal(transcript.complete, true, JSON.stringify(transcript.gaps));
});

for (const rate of [8_000, 16_000, 22_050, 44_100, 48_000]) {
  test(`audio at ${rate} Hz is metered as long as it is [P9]`, async (t) => {
    const it = await Conversation.begin(t, 'xai', { rate, pace: '0' });
    const format = { type: 'audio/pcm', rate };
    it.configure({ audio: { input: { format }, output: { format } } });
    await it.client.event('session.updated');
    await it.speak();
    await it.end();
    const { json } = await it.relay.request(`/v1/sessions/${it.client.id}`);
    const { input, output } = json.usage.audio_seconds;
    assert.equal(input, 1.5);
    const spoken = (answers[1].length * 65) / 1000;
    assert.ok(Math.abs(output - spoken) <= 0.002, `${output} s came out of ${spoken}`);
  });
}

test('a conversation with Inworld is whole and in order, with its own path and parameters [P4][P8][P9]', async (t) => {
  const it = await Conversation.begin(t, 'inworld', {
    path: '/api/v1/realtime/session',
    auth: 'basic',
    query: '?key=voice-1&protocol=realtime',
  });
  await wholeConversation(it);
  const transcript = await it.end();
  assertLines(transcript, wholeTranscript());
  assert.equal(transcript.complete, true, JSON.stringify(transcript.gaps));
});

test('a conversation with speech-to-speech is complete and in order, though it sends no item events [P4][P9]', async (t) => {
  const it = await Conversation.begin(t, 'speech-to-speech');
  it.configure();
  await it.speak();
  await it.ask(asked);
  await it.call('response.function_call_arguments.done');
  await it.interrupt('response.output_audio.delta');
  const transcript = await it.end();
  assertLines(transcript, [
    heard(1),
    `assistant completed: ${answers[1]}`,
    `user completed: ${asked}`,
    `assistant completed: You said: ${asked}`,
    `user completed: ${wanted}`,
    'assistant completed: The tool says: Four degrees and rain.',
    `user completed: ${long}`,
    /^assistant /,
    heard(2),
    /^assistant completed: .+/,
  ]);
});

test('vLLM-Omni: each answer to committed audio is a turn, in order, with all of its words [P4][P9]', async (t) => {
  const it = await Conversation.begin(t, 'vllm-omni', { rate: 16_000 });
  it.configure({ audio: { input: { format: { type: 'audio/pcm', rate: 16_000 } } } });
  for (let i = 0; i < 2; ++i) await it.commit();
  const transcript = await it.end();
  const { json } = await it.relay.request(`/v1/sessions/${it.client.id}`);
  assert.equal(json.usage.audio_seconds.input, 3); // though the provider never names a format
  const spoken = transcript.turns.filter(({ role }) => role === 'assistant');
  assert.deepEqual(
    spoken.map(({ text }) => text),
    [answers[1], 'I see what you mean. The shortest way to a clear answer is often a second question.'],
  );
});

for (const [profile, options, talk] of [
  ['speech-to-speech', {}, (it) => it.speak()],
  ['vllm-omni', { rate: 16_000 }, (it) => it.commit()],
]) {
  test(`${profile} cannot get a conversation again: its text is kept, and the end gives the reason [P2][P8]`, async (t) => {
    const it = await Conversation.begin(t, profile, {
      ...options,
      set: ['upstream.created_timeout=300ms'],
    });
    await talk(it);
    it.line.cut();
    await it.client.closed;
    const transcript = await it.relay.transcript(it.client.id);
    assert.match(transcript.close_reason, /^upstream_(lost|error)$/);
    const texts = transcript.turns.map(({ text }) => text);
    assert.ok(texts.includes(answers[1]), JSON.stringify(texts));
  });
}
