// A page's conversation that is recorded: the microphone and the provider say tones, one for each word.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Line } from '../e2e/support/line.mjs';
import { eventually } from '../e2e/support/process.mjs';
import { Provider } from '../e2e/support/provider.mjs';
import { perMs, read, sayAnswer, sayUser, session, shown, tone, words } from '../e2e/support/scene.mjs';
import { startRelay, within } from '../e2e/support/verbatim.mjs';
import { startBrowser } from './support/browser.mjs';
import { PageConversation } from './support/conversation.mjs';

// Each word is 300 ms long. Between two words, ms from begin to begin:
const pauses = [2500, 5000, 3500];
const userWords = [400, 500, 600, 700]; // Hz
const microphone = [
  { ms: 800 },
  ...userWords.flatMap((hertz, i) => [{ ms: 300, hertz }, { ms: (pauses[i] ?? 30_300) - 300 }]),
];

/** A connection of the provider's, and the audio that arrived on it. */
class Hearing {
  #parts = [];
  #bytes = 0;

  constructor(line) {
    this.line = line;
    line.socket.on('message', (data) => {
      const event = JSON.parse(data);
      if (event.type === 'input_audio_buffer.append') {
        this.#parts.push(Buffer.from(event.audio, 'base64'));
        this.#bytes += this.#parts.at(-1).length;
      }
      if (event.type !== 'conversation.item.truncate') return;
      const { item_id, content_index, audio_end_ms } = event;
      this.truncated = { item_id, audio_end_ms };
      line.say({ type: 'conversation.item.truncated', item_id, content_index, audio_end_ms });
    });
  }

  /** Waits until this word has arrived: its begin, or the whole of it. */
  hears(hertz, ms) {
    return eventually(() => {
      const all = Buffer.concat(this.#parts, this.#bytes & ~1);
      const samples = Float64Array.from({ length: all.length / 2 }, (_, i) => all.readInt16LE(2 * i));
      return words(samples, userWords).some((word) => word.hertz === hertz && word.ms >= ms);
    }, `${hertz} Hz at the provider`);
  }
}

test('a page is recorded as it spoke and heard: interruption, a pause, a lost network, a new provider [P4][P8][P15]', async (t) => {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, {
    key: null,
    set: [
      `upstream.url=${provider.url}`, 'upstream.model=m', 'recording.enabled=yes', 'session.resume_window=30s',
      'session.transcription_grace=0s', 'upstream.reconnect_attempts_max=5', 'upstream.reconnect_pause_min=10ms', 'upstream.reconnect_pause_max=50ms',
    ],
  });
  const network = await Line.open(t, relay.url);
  const browser = await startBrowser(t, { microphone, whole: true });
  const talk = await PageConversation.open(browser, network);
  const connected = talk.connect();
  let hearing = new Hearing(await within(Promise.resolve(provider.line('m')), 'a connection to the provider'));
  hearing.line.say({ type: 'session.created', session });
  const { session: id } = await connected;

  // An answer of 3 s arrives at once, and the user's second word interrupts it.
  await hearing.hears(400, 250);
  sayUser(hearing.line, 'u1');
  sayAnswer(hearing.line, 'a1', [tone(1000, 500), tone(1100, 1500), tone(1200, 1000)])();
  await hearing.hears(500, 50);
  hearing.line.say({ type: 'input_audio_buffer.speech_started', audio_start_ms: 0, item_id: 'u2' });
  const { audio_end_ms: heard } = await talk.event('conversation.item.truncated');
  assert.ok(heard > 2050 && heard < 3000, `${heard} ms`);
  assert.deepEqual(hearing.truncated, { item_id: 'a1', audio_end_ms: heard });
  await hearing.hears(500, 250);
  sayUser(hearing.line, 'u2');

  // The third word is spoken while the page has no network.
  network.down = true;
  network.cut();
  await talk.until(() => seen.some(({ type, detail }) => type === 'state' && detail !== 'open' && detail !== 'connecting'));
  await new Promise((resolve) => setTimeout(resolve, 5000));
  network.down = false;
  await hearing.hears(600, 250);
  sayUser(hearing.line, 'u3');

  // The fourth goes to another connection of the provider's.
  hearing.line.vanish();
  hearing = new Hearing(await within(Promise.resolve(provider.line('m')), 'a new connection to the provider'));
  hearing.line.takeRebuild(session);
  await hearing.hears(700, 250);
  sayUser(hearing.line, 'u4');
  sayAnswer(hearing.line, 'a4', [tone(1300, 400)])();
  // The position reaches the end of the answer, although the loudspeaker has a delay.
  await talk.until(() => seen.some(({ type, detail }) => type === 'heard' && detail.itemId === 'a4' && detail.audioMs === 400));
  await talk.run(() => talk.close());
  await relay.transcript(id);

  const file = await relay.request(`/v1/sessions/${id}/recording`);
  assert.equal(file.status, 200, file.text);
  const [left, right] = read(file.bytes);
  const user = words(left, userWords);
  assert.deepEqual(user.map(({ hertz }) => hertz), userWords, shown(user));
  user.forEach(({ at, ms }, i) => {
    assert.ok(Math.abs(ms - 300) <= 40, shown(user));
    if (i > 0) assert.ok(Math.abs(at - user[i - 1].at - pauses[i - 1]) <= 80, shown(user));
  });
  const assistant = words(right, [1000, 1100, 1200, 1300]);
  assert.deepEqual(assistant.map(({ hertz }) => hertz), [1000, 1100, 1200, 1300], shown(assistant));
  [500, 1500, heard - 2000, 400].forEach((ms, i) => assert.ok(Math.abs(assistant[i].ms - ms) <= 40, `${shown(assistant)}, heard ${heard} ms`));
  // The file ends with the last word of the two.
  const end = Math.max(user[3].at + 300, assistant[3].at + 400);
  assert.ok(left.length / perMs >= end - 40, `${left.length / perMs} ms, not ${end}`);
});
