// The client library in a real browser: its page, the relay and a simulated provider.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Line } from '../e2e/support/line.mjs';
import { startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { openPage, sentence, silence, startBrowser } from './support/browser.mjs';
import { PageConversation } from './support/conversation.mjs';

/** A relay in its development mode, whose provider speaks at a provider's speed. */
async function relayOf(t, options = {}) {
  const { set = [], pace = '1', ...more } = options;
  return startRelay(t, {
    key: null,
    simulator: await startSimulator(t, [], pace),
    set: ['session.resume_window=30s', ...set],
    ...more,
  });
}

const wordsOf = (turns) => turns.map(({ item_id, itemId = item_id, role, text }) => ({ itemId, role, text }));

/** In the page: a clock of the test's own, every sample that leaves for the loudspeaker. */
function tapSpeaker() {
  window.tapped = [];
  const { connect } = AudioNode.prototype;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode) {
      const code = `registerProcessor('tap', class extends AudioWorkletProcessor {
        process([[samples]]) {
          if (samples) this.port.postMessage(Array.from(samples, (one) => Math.round(one * 32768)));
          return true;
        }
      })`;
      this.context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(code)}`).then(() => {
        const node = new AudioWorkletNode(this.context, 'tap', { numberOfOutputs: 0 });
        node.port.onmessage = ({ data }) => tapped.push(data);
        connect.call(this, node);
      });
    }
    return connect.call(this, to, ...rest);
  };
}

function samplesOf(deltas) {
  const bytes = Buffer.concat(deltas.map((delta) => Buffer.from(delta, 'base64')));
  return Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i));
}

/** The place in `sent` at which playing ended, in ms: behind the last sound that was played, before the next. */
function lastPlayed(played, sent) {
  const offset = played.findIndex((one) => one !== 0) - sent.findIndex((one) => one !== 0);
  const last = played.findLastIndex((one) => one !== 0) - offset;
  for (let at = 0; at <= last; at += 1) {
    assert.equal(played[at + offset] ?? 0, sent[at], `sample ${at} is not what the provider sent`);
  }
  const next = sent.findIndex((one, at) => at > last && one !== 0);
  return { from: last / 24, to: (next < 0 ? sent.length : next) / 24 };
}

test('speech into the page is transcribed, answered, played and kept [P1][P8]', async (t) => {
  for (const audio of ['binary', 'json']) {
    const relay = await relayOf(t);
    const browser = await startBrowser(t, { microphone: sentence, whole: true });
    const talk = await PageConversation.open(browser, relay, { audio });
    const { session } = await talk.connect();
    await talk.event('response.done');
    const heard = await talk.until(() => seen.find((one) => one.type === 'heard' && one.detail.audioMs > 500)?.detail);
    await talk.until(() => talk.turns.length === 2 && talk.turns.every(({ status }) => status === 'completed'));
    const turns = await talk.turns();
    assert.deepEqual(turns.map(({ role }) => role), ['user', 'assistant']);
    assert.equal(heard.itemId, turns[1].itemId);
    await talk.run(() => talk.close());
    assert.deepEqual(await talk.detailOf('ended'), { reason: 'client_ended', sessionId: session });
    assert.deepEqual(wordsOf((await relay.transcript(session)).turns), wordsOf(turns));
    assert.deepEqual(talk.page.problems, []);
  }
});

test('talking over an answer stops it, and the heard part is the part that was played [P4]', async (t) => {
  const relay = await relayOf(t);
  // The second sentence overlaps the answer to the first.
  const browser = await startBrowser(t, {
    microphone: [
      { ms: 300, loud: false }, { ms: 800, loud: true }, { ms: 2500, loud: false },
      { ms: 1500, loud: true }, { ms: 30_000, loud: false },
    ],
  });
  // The events' own audio for comparison, and a tap that is not part of the page's policy.
  const talk = await PageConversation.open(browser, relay, { audio: 'json' }, { bypassCSP: true });
  await talk.run(tapSpeaker);
  const { session } = await talk.connect();
  const { item_id: item, audio_end_ms: heardMs } = await talk.event('conversation.item.truncated');
  const { played, sent } = await talk.run((id) => ({
    played: tapped.flat(),
    sent: seen.filter(({ type, detail }) =>
      type === 'event' && detail.type === 'response.output_audio.delta' && detail.item_id === id)
      .map(({ detail }) => detail.delta),
  }), item);
  const { from, to } = lastPlayed(played, samplesOf(sent));
  assert.ok(from > 300, `${from} ms were played`);
  assert.ok(heardMs > from - 50 && heardMs < to + 50, `${heardMs} said, ${from} to ${to} played`);
  const turn = (await talk.turns()).find(({ itemId }) => itemId === item);
  assert.equal(turn.status, 'truncated');
  assert.equal(turn.heard.audioMs, heardMs);
  assert.ok(turn.text.startsWith(turn.heard.text) && turn.heard.text.length < turn.text.length, turn.heard.text);
  await talk.run(() => talk.close());
  const kept = (await relay.transcript(session)).turns.find(({ item_id: id }) => id === item);
  assert.equal(kept.status, 'truncated');
  assert.equal(kept.heard.audio_ms, heardMs);
});

test('a connection cut in mid-answer is resumed without a word lost or repeated [P8]', async (t) => {
  const relay = await relayOf(t);
  const line = await Line.open(t, relay.url);
  const browser = await startBrowser(t);
  const talk = await PageConversation.open(browser, line, { microphone: false });
  const { session } = await talk.connect();
  await talk.run(() => talk.sendText('one two three four five six seven eight nine ten'));
  for (let cut = 0; cut < 3; cut += 1) {
    const before = await talk.run(() => seen.length);
    // The answer goes on meanwhile: in a slow page it may be over before the next cut.
    await talk.until((from) => seen.some(({ type, detail }, at) =>
      type === 'event' && (at >= from && /delta$/.test(detail.type) || detail.type === 'response.done')), before);
    line.cut();
    await talk.until((from) => seen.slice(from).some(({ type, detail }) =>
      type === 'state' && detail === 'open'), before);
  }
  await talk.run(() => talk.sendText('And is that all?')); // sent text continues as well
  await talk.until(() => seen.filter(({ type, detail }) => type === 'event' && detail.type === 'response.done').length === 2);
  const ids = await talk.run(() => seen.filter(({ type, detail }) => type === 'event' && !/^verbatim/.test(detail.type))
    .map(({ detail }) => detail.event_id));
  assert.equal(new Set(ids).size, ids.length);
  await talk.run(() => talk.close());
  const kept = await relay.transcript(session);
  assert.equal(kept.attempt, 1);
  const seenTurns = (await talk.turns()).filter(({ status }) => status !== 'cancelled' && status !== 'truncated');
  for (const turn of wordsOf(seenTurns)) assert.ok(wordsOf(kept.turns).some((one) => one.itemId === turn.itemId && one.text === turn.text));
});

test('a network that goes without a word and comes back is noticed at once [P8]', async (t) => {
  const relay = await relayOf(t);
  const browser = await startBrowser(t);
  const talk = await PageConversation.open(browser, relay, { microphone: false });
  const { session } = await talk.connect();
  await talk.run(() => talk.sendText('one two three four five six seven eight nine ten'));
  await talk.until(() => talk.turns[1]?.text.length > 10);
  const context = talk.page.context();
  await context.setOffline(true); // the socket looks open all the time
  await context.setOffline(false);
  await talk.until(() => seen.filter(({ type, detail }) => type === 'state' && detail === 'open').length === 2);
  await talk.event('response.done');
  const turns = await talk.turns();
  await talk.run(() => talk.close());
  const kept = await relay.transcript(session);
  assert.deepEqual(wordsOf(kept.turns), wordsOf(turns));
  assert.equal(kept.attempt, 1);
});

test('a browser that is killed in mid-sentence leaves every word it saw, and the reason [P1][P2]', async (t) => {
  const relay = await relayOf(t, { set: ['session.resume_window=0s'] });
  const browser = await startBrowser(t, { killable: true });
  const talk = await PageConversation.open(browser, relay, { microphone: false });
  const { session } = await talk.connect();
  await talk.run(() => talk.sendText('one two three four five six seven eight nine ten eleven twelve'));
  await talk.until(() => talk.turns[1]?.text.length > 10);
  const seen = await talk.turns();
  await browser.kill();
  const kept = await relay.transcript(session);
  assert.equal(kept.close_reason, 'client_lost');
  for (const { itemId, text } of seen) {
    const turn = kept.turns.find(({ item_id: id }) => id === itemId);
    assert.ok(turn?.text.startsWith(text), `${turn?.text} / ${text}`);
  }
});

test('if two tabs open one conversation, the newer has it, and the older says so and stays away [P8]', async (t) => {
  const relay = await relayOf(t);
  const browser = await startBrowser(t);
  const first = await PageConversation.open(browser, relay, { microphone: false });
  const { session } = await first.connect();
  await first.run(() => talk.sendText('Who has this?'));
  await first.event('response.done');
  const second = await PageConversation.open(browser, relay, { microphone: false, session });
  assert.deepEqual(await second.connect(), { session });
  assert.equal((await first.detailOf('problem')).code, 'replaced');
  assert.equal(await first.run(() => talk.state), 'closed');
  await second.until(() => talk.turns.length === 2 && talk.turns[0].text === 'Who has this?');
  await second.run(() => talk.close());
  assert.equal((await relay.transcript(session)).attempt, 1);
});

test('several connects at once are one connection [P8]', async (t) => {
  const relay = await relayOf(t);
  const browser = await startBrowser(t);
  const talk = await PageConversation.open(browser, relay, { microphone: false });
  await talk.run(() => Promise.all([talk.connect(), talk.connect(), talk.connect()]));
  const { json } = await relay.request('/v1/sessions');
  assert.equal(json.sessions.length, 1);
});

test('an expired token is renewed; if it cannot be, the page says so [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const browser = await startBrowser(t);
  const [expired, good] = [`ek_${'x'.repeat(60)}`, await relay.mint()];
  const renewing = await PageConversation.open(browser, relay, { microphone: false, tokens: [expired, good] });
  assert.ok((await renewing.connect()).session);
  const stuck = await PageConversation.open(browser, relay, { microphone: false, token: expired });
  const refused = await stuck.connect();
  assert.equal(refused.code, 'token_expired');
  assert.equal(await stuck.run(() => talk.state), 'closed');
});

test('a page shows why the relay refuses it, and connects when there is room [P8]', async (t) => {
  const relay = await relayOf(t, { set: ['session.sessions_max=1', 'session.resume_window=0s'] });
  const browser = await startBrowser(t);
  const first = await PageConversation.open(browser, relay, { microphone: false });
  await first.connect();
  const second = await PageConversation.open(browser, relay, { microphone: false });
  const refused = await second.connect();
  assert.equal(refused.code, 'refused');
  assert.match(refused.message, /session\.sessions_max.*\(too_many_sessions\)/);
  await first.run(() => talk.close());
  const third = await PageConversation.open(browser, relay, { microphone: false });
  await relay.program.logged('session.ended');
  assert.ok((await third.connect()).session);
});

test('without a microphone the page says why, and the conversation goes on in writing [P8]', async (t) => {
  const relay = await relayOf(t);
  const browser = await startBrowser(t, { microphone: 'refused' });
  const talk = await PageConversation.open(browser, relay);
  await talk.connect();
  assert.equal((await talk.detailOf('problem')).code, 'microphone_refused');
  await talk.run(() => talk.sendText('In writing, then.'));
  await talk.until(() => talk.turns[1]?.text.length > 10);
  assert.equal(await talk.run(() => talk.state), 'open');
});

test('while muted only silence is sent; a lost device is reported and replaced by another [P8]', async (t) => {
  const relay = await relayOf(t);
  const browser = await startBrowser(t, { microphone: [{ ms: 500, loud: true }] });
  const talk = await PageConversation.open(browser, relay);
  await talk.run(() => {
    window.spoken = [];
    window.tracks = [];
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
      if (data instanceof Int16Array) spoken.push(data.some((sample) => sample !== 0));
      return send.call(this, data);
    };
    const { mediaDevices } = navigator;
    const get = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (wish) => {
      const stream = await get(wish);
      tracks.push(...stream.getTracks());
      return stream;
    };
  });
  await talk.connect();
  await talk.until(() => spoken.includes(true));
  await talk.run(() => talk.mute(true));
  await talk.until(() => spoken.slice(-10).length === 10 && !spoken.slice(-10).includes(true));
  await talk.run(() => talk.mute(false));
  await talk.until(() => spoken.at(-1));
  await talk.run(() => tracks[0].dispatchEvent(new Event('ended')));
  assert.equal((await talk.detailOf('problem')).code, 'device_lost');
  await talk.until(() => tracks.length === 2 && tracks[0].readyState === 'ended' && tracks[1].readyState === 'live');
  await talk.run(() => (spoken.length = 0));
  await talk.until(() => spoken.includes(true));
});

test('closing leaves no track, no sound and no socket, and one can begin again [P8]', async (t) => {
  const relay = await relayOf(t);
  const browser = await startBrowser(t);
  const page = await openPage(browser, `${relay.url}/`);
  const talk = new PageConversation(page);
  await page.evaluate(() => {
    window.made = { contexts: [], tracks: [], sockets: [] };
    const spy = (name, list) => {
      window[name] = new Proxy(window[name], {
        construct: (Target, args) => {
          const one = new Target(...args);
          list.push(one);
          return one;
        },
      });
    };
    spy('AudioContext', made.contexts);
    spy('WebSocket', made.sockets);
    const devices = navigator.mediaDevices;
    const get = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (...args) => {
      const stream = await get(...args);
      made.tracks.push(...stream.getTracks());
      return stream;
    };
  });
  await talk.make({});
  for (let round = 1; round <= 2; round += 1) {
    await talk.connect();
    await talk.run(() => talk.close());
    await talk.until(() => made.contexts.every(({ state }) => state === 'closed'));
    assert.equal(await talk.run(() => made.contexts.length), 2 * round);
    assert.ok(await talk.run(() => made.tracks.every(({ readyState }) => readyState === 'ended')));
    await talk.until(() => made.sockets.every(({ readyState }) => readyState === WebSocket.CLOSED));
  }
});

test("the page's copy of a conversation that ended badly is posted on the next visit [P3]", async (t) => {
  const relay = await relayOf(t, { set: ['session.resume_window=0s'] });
  const browser = await startBrowser(t, { microphone: silence });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(`${relay.url}/`);
  const talk = new PageConversation(page);
  await talk.make({ microphone: false });
  const { session } = await talk.connect();
  await talk.run(() => talk.sendText('Will this be kept twice?'));
  await talk.event('response.done');
  await talk.until(async () => {
    const asked = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const database = await asked(indexedDB.open('verbatim', 1));
    const [kept] = await asked(database.transaction('conversations').objectStore('conversations').getAll());
    database.close();
    return kept?.turns.length === 2 && kept.turns.every(({ status }) => status === 'completed');
  });
  await page.close();
  await relay.transcript(session);
  const next = await context.newPage();
  await next.goto(`${relay.url}/`);
  const outcomes = await next.evaluate(async () => (await import('/web/conversation.js')).Conversation.reconcile());
  assert.deepEqual(outcomes, [{ id: session, outcome: 'complete' }]);
  assert.deepEqual((await relay.transcript(session)).writers, ['relay', 'client']);
  const left = await next.evaluate(async () => (await import('/web/conversation.js')).Conversation.reconcile());
  assert.deepEqual(left, []);
});
