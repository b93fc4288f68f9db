// Transcription sessions: speech comes in, its text goes out, and there are no answers. The test plays the
// provider, with events in the provider's order.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { Client, refusal, startRelay, within } from './support/verbatim.mjs';

const input = {
  format: { type: 'audio/pcm', rate: 24000 },
  transcription: { model: 'gpt-4o-transcribe', language: 'en', prompt: '' },
  noise_reduction: { type: 'near_field' },
  turn_detection: { type: 'server_vad', threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 200 },
};

function merged(into, from) {
  const out = { ...into };
  for (const [key, value] of Object.entries(from ?? {})) {
    const both = [value, out[key]].every((one) => one && typeof one === 'object' && !Array.isArray(one));
    out[key] = both ? merged(out[key], value) : value;
  }
  return out;
}

/** One connection. It refuses, as the provider does, what a transcription session cannot have. */
class Line {
  got = [];
  #events = 0;
  last = null;

  constructor(socket, target) {
    this.socket = socket;
    this.query = new URL(target, 'ws://provider').searchParams;
    this.transcribes = this.query.get('intent') === 'transcription';
    const id = `sess_${Math.random().toString(36).slice(2)}`;
    this.session = this.transcribes
      ? { type: 'transcription', object: 'realtime.transcription_session', id, expires_at: 1900000000, audio: { input: { ...input, transcription: null } }, include: null }
      : { type: 'realtime', object: 'realtime.session', id, model: this.query.get('model'), output_modalities: ['audio'], audio: { input: { ...input, transcription: null }, output: { voice: 'marin' } } };
    socket.on('message', (data) => this.#take(JSON.parse(data)));
    socket.on('error', () => {});
    this.say({ type: 'session.created', session: this.session });
  }

  say(event) {
    this.socket.send(JSON.stringify({ event_id: `event_${this.session.id}_${++this.#events}`, ...event }));
  }

  #take(event) {
    this.got.push(event);
    const refuse = (code, message) => {
      this.say({ type: 'error', error: { type: 'invalid_request_error', code, message, param: null, event_id: event.event_id ?? null } });
      this.socket.close(4000, `invalid_request_error.${code}`);
    };
    if (event.type === 'session.update') {
      if (event.session.type !== this.session.type) return refuse('invalid_model', 'Model is not supported in transcription mode.');
      this.session = merged(this.session, event.session);
      this.say({ type: 'session.updated', session: this.session });
    } else if (this.transcribes && /^response\.|^conversation\./.test(event.type)) {
      refuse('invalid_event', `${event.type} is not part of a transcription session.`);
    }
    this.socket.emit('taken');
  }

  async until(find, what) {
    return within((async () => {
      for (;;) {
        const found = this.got.find(find);
        if (found) return found;
        await once(this.socket, 'taken');
      }
    })(), what);
  }

  /** An utterance, up to the point where its words are due. */
  speaks(item, previous = this.last) {
    this.say({ type: 'input_audio_buffer.speech_started', item_id: item, audio_start_ms: 100 });
    this.say({ type: 'input_audio_buffer.speech_stopped', item_id: item, audio_end_ms: 900 });
    this.say({ type: 'input_audio_buffer.committed', item_id: item, previous_item_id: previous });
    const added = { id: item, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_audio', transcript: null }] };
    this.say({ type: 'conversation.item.added', previous_item_id: previous, item: added });
    this.say({ type: 'conversation.item.done', previous_item_id: previous, item: added });
    this.last = item;
  }

  hears(item, words, usage = { type: 'tokens', total_tokens: 11, input_tokens: 7, input_token_details: { text_tokens: 0, audio_tokens: 7 }, output_tokens: 4 }) {
    const type = 'conversation.item.input_audio_transcription';
    const logprobs = [{ token: words.slice(0, 3), logprob: -0.01, bytes: [72] }];
    for (const delta of words.match(/.{1,7}/gsu)) this.say({ type: `${type}.delta`, item_id: item, content_index: 0, delta, logprobs });
    this.say({ type: `${type}.completed`, item_id: item, content_index: 0, transcript: words, logprobs, usage });
  }
}

class Provider {
  lines = [];
  #waiting = [];

  static async start(t) {
    const provider = new Provider();
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    t.after(() => {
      for (const socket of server.clients) socket.terminate();
      server.close();
    });
    server.on('connection', (socket, request) => {
      const line = new Line(socket, request.url);
      provider.lines.push(line);
      provider.#waiting.shift()?.(line);
    });
    provider.url = `ws://127.0.0.1:${server.address().port}/v1/realtime`;
    return provider;
  }

  next() {
    return within(new Promise((resolve) => this.#waiting.push(resolve)), 'a connection of the relay');
  }
}

async function start(t, set = [], url = '') {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}${url}`, 'session.transcription_grace=0ms', ...set] });
  return { provider, relay };
}

const configuration = { type: 'transcription', audio: { input: { transcription: { model: 'gpt-4o-transcribe', language: 'de' } } }, include: ['item.input_audio_transcription.logprobs'] };
const transcribed = (client, item) =>
  client.until(({ events }) => events.find((event) => event.type === 'conversation.item.input_audio_transcription.completed' && event.item_id === item), `the words of ${item}`);

/** Checks that no other request leaves for a transcription session. */
function onlyTranscription(line) {
  assert.equal(line.query.get('intent'), 'transcription');
  assert.equal(line.query.get('model'), null);
  for (const { type, session } of line.got) {
    assert.ok(!/^response\.|^conversation\./.test(type), type);
    if (type === 'session.update') assert.equal(session.type, 'transcription');
  }
}

describe('a transcription session', { concurrency: 3 }, () => {
  const ways = [
    ['by the intent of its URL', { query: { intent: 'transcription' } }, { type: 'realtime' }],
    ['by its intent, though a model stands beside it', { query: { intent: 'transcription', model: 'gpt-realtime' } }, { type: 'realtime' }],
    ['by its intent, although its token configures a conversation', { query: { intent: 'transcription' } }, { type: 'realtime', instructions: 'Answer.', tools: [], audio: { output: { voice: 'marin' } } }],
    ['by its token', {}, configuration],
    ['by its token, though a model stands in the URL', { query: { model: 'gpt-realtime' } }, configuration],
  ];
  for (const [how, options, session] of ways) {
    test(`is begun ${how}: no model, no answers, every word kept [P4][P9][P13]`, async (t) => {
      const { provider, relay } = await start(t, [], how.includes('beside it') ? '?model=configured' : '');
      const next = provider.next();
      const token = await relay.mint({}, session);
      const client = await Client.connectWithId(t, relay, { ...options, token });
      const line = await next;
      const created = await client.event('session.created');
      assert.equal(created.session.type, 'transcription');
      // Set without a request of the client, because otherwise no text would come.
      await line.until(({ type, session: own }) => type === 'session.update' && own.audio.input.transcription.model, 'transcription is on');
      client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(4800).toString('base64') });
      line.speaks('item_1');
      line.speaks('item_2');
      line.hears('item_2', 'And the second.');
      line.hears('item_1', 'This is the first.');
      await transcribed(client, 'item_1');
      const came = client.events.find(({ type, item_id: id }) => type.endsWith('transcription.completed') && id === 'item_2');
      assert.deepEqual(came.logprobs, [{ token: 'And', logprob: -0.01, bytes: [72] }]);
      await line.until(({ type }) => type === 'input_audio_buffer.append', 'the audio');
      await client.close();
      const { turns, complete } = await relay.transcript(client.id);
      assert.deepEqual(turns.map(({ role, text, status }) => [role, text, status]), [
        ['user', 'This is the first.', 'completed'],
        ['user', 'And the second.', 'completed'],
      ]);
      assert.ok(complete);
      const { json } = await relay.request(`/v1/sessions/${client.id}`);
      assert.equal(json.usage.total_tokens, 22);
      onlyTranscription(line);
    });
  }

  test('is begun by the first session.update of a client that names no model [P9]', async (t) => {
    for (const early of [true, false]) {
      const { provider, relay } = await start(t);
      const client = await Client.connectWithId(t, relay);
      if (!early) await client.event('session.created');
      client.send({ type: 'session.update', event_id: 'mine', session: configuration });
      const updated = await client.until(({ events }) => events.find((event) => event.type === 'session.updated' && event.session.audio.input.transcription?.language === 'de'), 'its settings');
      assert.equal(updated.session.type, 'transcription');
      // The relay may have connected for a conversation before; the two connections can come in either order.
      const line = provider.lines.find(({ transcribes }) => transcribes);
      line.speaks('item_1');
      line.hears('item_1', 'Hello.');
      await transcribed(client, 'item_1');
      assert.equal(client.events.filter(({ type }) => type === 'session.created').length, 1);
      assert.equal(client.events.filter(({ type }) => type === 'error').length, 0);
      onlyTranscription(line);
      await client.close();
      const { turns, complete } = await relay.transcript(client.id);
      assert.deepEqual([turns.map(({ text }) => text), complete], [['Hello.'], true]);
    }
  });

  test('goes on over a lost provider with its settings, and its words stay in order [P4][P8]', async (t) => {
    const { provider, relay } = await start(t, ['upstream.reconnect_attempts_max=3', 'upstream.reconnect_pause_min=10ms']);
    const client = await Client.connectWithId(t, relay, { token: await relay.mint({}, configuration) });
    await client.event('session.created');
    const first = provider.lines.at(-1);
    first.speaks('item_1');
    first.hears('item_1', 'Before.');
    await transcribed(client, 'item_1');
    first.speaks('item_2'); // its text never comes
    await client.until(({ events }) => events.find((event) => event.type === 'conversation.item.done' && event.item.id === 'item_2'), 'item_2');
    const next = provider.next();
    first.socket.terminate();
    const second = await next;
    await client.until(({ events }) => events.find(({ state }) => state === 'restored'), 'restored');
    const again = await second.until(({ type }) => type === 'session.update', 'the settings');
    assert.equal(again.session.audio.input.transcription.language, 'de');
    assert.deepEqual(again.session.include, configuration.include);
    second.speaks('item_3', null);
    second.speaks('item_4');
    second.hears('item_3', 'After.');
    second.hears('item_4', 'The end.');
    await transcribed(client, 'item_4');
    onlyTranscription(first);
    onlyTranscription(second);
    await client.close();
    const { turns, complete, gaps } = await relay.transcript(client.id);
    assert.deepEqual(turns.map(({ text }) => text), ['Before.', '', 'After.', 'The end.']);
    assert.equal(complete, false);
    assert.deepEqual(gaps.map(({ item_id: id }) => id), ['item_2']);
  });

  test('waits for a client that was cut off, and shows it the text so far [P8]', async (t) => {
    const { provider, relay } = await start(t, ['session.resume_window=60s']);
    const token = await relay.mint({}, configuration);
    const client = await Client.connectWithId(t, relay, { token });
    await client.event('session.created');
    const line = provider.lines.at(-1);
    line.speaks('item_1');
    line.hears('item_1', 'Before.');
    await transcribed(client, 'item_1');
    client.socket.terminate();
    const again = await Client.connectWithId(t, relay, { token });
    assert.equal((await again.event('session.created')).session.type, 'transcription');
    await again.until(({ events }) => events.find((event) => event.type === 'conversation.item.added' && event.item.id === 'item_1'), 'the item');
    line.speaks('item_2');
    line.hears('item_2', 'After.');
    await transcribed(again, 'item_2');
    again.send({ type: 'verbatim.end' });
    const { turns, attempt } = await relay.transcript(client.id);
    assert.deepEqual([turns.map(({ text }) => text), attempt], [['Before.', 'After.'], 1]);
    onlyTranscription(line);
  });

  test('keeps the text that a killed relay had passed on [P1]', async (t) => {
    const { provider, relay } = await start(t);
    const client = await Client.connectWithId(t, relay, { query: { intent: 'transcription' } });
    await client.event('session.created');
    const line = provider.lines.at(-1);
    line.speaks('item_1');
    line.hears('item_1', 'Said and heard.');
    await transcribed(client, 'item_1');
    await relay.program.stop('SIGKILL');
    const next = await startRelay(t, { dataDir: relay.dataDir, set: [`upstream.url=${provider.url}`] });
    const { turns } = await next.transcript(client.id);
    assert.deepEqual(turns.map(({ role, text }) => [role, text]), [['user', 'Said and heard.']]);
  });

  test('is begun and configured in the words of beta by a client that speaks those [P9]', async (t) => {
    const { provider, relay } = await start(t);
    const client = await Client.connectWithId(t, relay, { query: { intent: 'transcription' }, headers: { 'OpenAI-Beta': 'realtime=v1' } });
    const created = await client.event('transcription_session.created');
    assert.equal(created.session.input_audio_format, 'pcm16');
    client.send({ type: 'transcription_session.update', session: { input_audio_transcription: { model: 'whisper-1' }, turn_detection: null } });
    const updated = await client.until(({ events }) => events.find((event) => event.type === 'transcription_session.updated' && event.session.turn_detection === null), 'its settings');
    assert.equal(updated.session.input_audio_transcription.model, 'whisper-1');
    const line = provider.lines.at(-1);
    const update = line.got.findLast(({ type }) => type === 'session.update');
    assert.deepEqual(update.session, { type: 'transcription', audio: { input: { transcription: { model: 'whisper-1' }, turn_detection: null } } });
    line.speaks('item_1');
    line.hears('item_1', 'Old words.', { type: 'duration', seconds: 3 });
    await transcribed(client, 'item_1');
    assert.ok(client.events.some(({ type }) => type === 'conversation.item.created'));
    onlyTranscription(line);
  });

  test('can be no other intent, and a token no other type', async (t) => {
    const { relay } = await start(t);
    for (const intent of ['translation', 'Transcription', '']) {
      const refused = await refusal(relay, { token: await relay.mint(), query: { intent } });
      assert.deepEqual([refused.status, refused.json.error.code], [400, 'invalid_intent']);
      assert.ok(refused.json.error.message.length > 10);
    }
    const minted = await relay.request('/v1/realtime/client_secrets', { method: 'POST', body: { session: { type: 'translation' } } });
    assert.equal(minted.status, 400);
    assert.match(minted.json.error.message, /session\.type/);
    const client = await Client.connectWithId(t, relay, { query: { intent: 'conversation', model: 'gpt-realtime' } });
    assert.equal((await client.event('session.created')).session.type, 'realtime');
  });
});
