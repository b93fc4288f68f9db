// Settings, tools, push to talk, sound: what a page sets and calls beyond a plain conversation.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { wholeFile } from '../e2e/support/file.mjs';
import { Line } from '../e2e/support/line.mjs';
import { startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { openPage, startBrowser } from './support/browser.mjs';
import { PageConversation } from './support/conversation.mjs';
import { buildPackage, serve } from './support/package.mjs';

const file = wholeFile();
let browser;
let relay;

before(async () => {
  browser = await startBrowser(file, { microphone: [{ ms: 500, loud: true }] });
  relay = await startRelay(file, { key: null, simulator: await startSimulator(file, [], '0.2') });
});

const open = (options) => PageConversation.open(browser, relay, { backup: false, microphone: false, playback: false, ...options });
const weather = (run, more) => ({ get_weather: { description: 'The weather.', parameters: { type: 'object', properties: { city: { type: 'string' } } }, run, ...more } });
const finalTurns = (talk, count) => talk.until((wanted) =>
  talk.turns.length >= wanted && talk.turns.every(({ status }) => status !== 'in_progress') && talk.turns, count);

test('the settings of the page are those of the session, and can be changed', async () => {
  const talk = await open({ instructions: 'Be brief.', voice: 'cedar', turnDetection: 'semantic_vad', tools: weather('echo') });
  await talk.connect();
  const { session } = await talk.event('session.updated');
  assert.equal(session.instructions, 'Be brief.');
  assert.equal(session.audio.output.voice, 'cedar');
  assert.equal(session.audio.input.turn_detection.type, 'semantic_vad');
  assert.deepEqual(session.tools.map(({ type, name, description, parameters }) => [type, name, description, Object.keys(parameters.properties)]),
    [['function', 'get_weather', 'The weather.', ['city']]]);
  await talk.run(() => talk.configure({ instructions: 'Be long.', turnDetection: null }));
  await talk.until(() => seen.some(({ detail }) => detail.type === 'session.updated' && detail.session.instructions === 'Be long.' &&
    detail.session.audio.input.turn_detection === null && detail.session.audio.output.voice === 'cedar'));
  const plain = await open({});
  await plain.connect();
  await plain.run(() => talk.sendText('Hello'));
  await plain.event('response.done');
  assert.equal(await plain.run(() => seen.some(({ detail }) => detail.type === 'session.updated')), false);
});

test('a tool runs, its result is sent, and the model answers with it [P4]', async () => {
  const talk = await open({ tools: weather('echo') });
  const { session } = await talk.connect();
  await talk.run(() => talk.sendText('What does get_weather say?'));
  await talk.until(() => seen.filter(({ detail }) => detail.type === 'response.done').length === 2);
  const calls = await talk.run(() => seen.filter(({ type }) => type === 'tool').map(({ detail }) => detail));
  assert.deepEqual(calls.map(({ name, status }) => [name, status]), [['get_weather', 'running'], ['get_weather', 'completed']]);
  const { output } = calls[1];
  assert.equal(JSON.parse(output).heard, 'string');
  assert.deepEqual(calls[0].arguments, calls[1].arguments);
  await talk.run(() => talk.close());
  const { tool_calls: kept } = await relay.transcript(session);
  assert.deepEqual(kept.map(({ name, output: said, status }) => [name, said, status]), [['get_weather', output, 'completed']]);
});

test('a tool that fails or takes too long gives the model an error, and the page a problem', async () => {
  for (const [run, code, words] of [['fails', 'tool_failed', /no weather today/], ['never', 'tool_timeout', /within 300 ms/]]) {
    const talk = await open({ tools: weather(run, { timeout: 300 }) });
    await talk.connect();
    await talk.run(() => talk.sendText('What does get_weather say?'));
    await talk.until(() => seen.filter(({ detail }) => detail.type === 'response.done').length === 2);
    const problem = await talk.detailOf('problem');
    assert.equal(problem.code, code);
    assert.match(problem.message, words);
    const failed = await talk.run(() => seen.findLast(({ type }) => type === 'tool').detail);
    assert.equal(failed.status, 'failed');
    assert.match(JSON.parse(failed.output).error, words);
    if (run === 'never') assert.equal(await talk.run(() => window.aborted), true);
  }
});

test('a call of a tool that the page does not have is left to the back end', async () => {
  const talk = await open({ tools: weather('echo') });
  await talk.connect();
  await talk.run(() => {
    talk.configure({ tools: {} }); // the provider knows the tool for another moment
    talk.send({ type: 'session.update', session: { type: 'realtime', tools: [{ type: 'function', name: 'get_weather', parameters: { type: 'object', properties: {} } }] } });
    talk.sendText('What does get_weather say?');
  });
  await talk.event('response.done');
  await talk.run(() => talk.sendText('Hello again'));
  await talk.until(() => seen.filter(({ detail }) => detail.type === 'response.done').length === 2);
  assert.equal(await talk.run(() => seen.some(({ type }) => type === 'tool')), false);
});

test('a tool that runs while the connection is lost gives its result afterwards, once [P8]', async (t) => {
  const far = await startRelay(t, { key: null, simulator: await startSimulator(t, [], '0.2'), set: ['session.resume_window=30s'] });
  const line = await Line.open(t, far.url);
  const talk = await PageConversation.open(browser, line, { backup: false, microphone: false, playback: false, instructions: 'Be brief.', tools: weather('later') });
  const { session } = await talk.connect();
  await talk.run(() => talk.sendText('What does get_weather say?'));
  await talk.until(() => window.finish);
  line.down = true;
  line.cut();
  await talk.until(() => talk.state === 'reconnecting');
  await talk.run(() => finish({ sky: 'clear' }));
  line.down = false;
  await talk.until(() => talk.turns.some(({ role, text, status }) => role === 'assistant' && /clear/.test(text) && status === 'completed'));
  assert.equal(await talk.run(() => seen.filter(({ type, detail }) => type === 'tool' && detail.status === 'running').length), 1);
  // The session that goes on has its settings: they are sent once.
  assert.equal(await talk.run(() => seen.filter(({ detail }) => detail.type === 'session.updated').length), 1);
  await talk.run(() => talk.close());
  assert.equal((await far.transcript(session)).attempt, 1);
});

test('an interruption that comes too late is not a problem of the page', async () => {
  const talk = await open({});
  await talk.connect();
  await talk.run(() => talk.sendText('Hello'));
  await talk.event('response.done');
  await talk.run(() => {
    talk.answering = true; // as if the end of the answer were still on its way
    return talk.interrupt();
  });
  const { error } = await talk.event('error');
  assert.match(error.event_id, /^interrupt_/);
  await talk.run(() => talk.send({ type: 'no.such.event' }));
  const { code } = await talk.detailOf('problem');
  assert.notEqual(code, error.code);
  assert.equal(await talk.run(() => seen.filter(({ type }) => type === 'problem').length), 1);
});

test('the core alone sends the page’s own audio, and gives it that of the answers', async (t) => {
  const page = await openPage(browser, `${relay.url}/`);
  t.after(() => page.context().close());
  const { samples, states, roles } = await page.evaluate(async () => {
    const { Session, VerbatimError } = await import('/web/v1/core.js');
    const session = new Session({ turnDetection: null });
    const states = [session.state];
    session.on('state', (state) => states.push(state));
    let samples = 0;
    session.on('audio', (audio) => (samples += audio.samples.length));
    const answered = new Promise((resolve) => session.on('event', ({ type }) => type === 'response.done' && resolve()));
    await session.connect();
    await session.startTurn();
    session.sendAudio(Int16Array.from({ length: 24_000 }, (_, i) => 9000 * Math.sin(i / 9)));
    await session.endTurn();
    await answered;
    await session.close();
    const failed = await new Session({ url: 'wss://127.0.0.1:9/v1/realtime' }).connect().catch((error) => error instanceof VerbatimError);
    return { samples, states, roles: failed && session.turns.map(({ role }) => role) };
  });
  assert.ok(samples > 24_000, `${samples} samples`);
  assert.deepEqual(states, ['idle', 'connecting', 'open', 'closing', 'closed']);
  assert.deepEqual(roles, ['user', 'assistant']);
});

test('push to talk: only what is said between startTurn and endTurn is sent, and it is answered', async () => {
  const talk = await open({ microphone: true, turnDetection: null });
  await talk.run(() => {
    window.spoken = 0;
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
      if (data instanceof Int16Array) spoken += data.length;
      return send.call(this, data);
    };
    window.levels = 0;
    talk.on('level', ({ input }) => (levels += input > 0 ? 1 : 0));
  });
  await talk.connect();
  await talk.until(() => levels > 10); // the microphone hears, and nothing is sent
  assert.equal(await talk.run(() => spoken), 0);
  assert.equal(await talk.run(async () => {
    await talk.startTurn();
    return talk.endTurn();
  }), false, 'an utterance of no length');
  await talk.run(() => talk.startTurn());
  await talk.until(() => spoken > 24_000);
  assert.equal(await talk.run(() => talk.endTurn()), true);
  const sent = await talk.run(() => spoken);
  await talk.event('response.done');
  const turns = await finalTurns(talk, 2);
  assert.deepEqual(turns.map(({ role }) => role), ['user', 'assistant']);
  assert.equal(await talk.run(() => spoken), sent);
  assert.equal(await talk.run(() => seen.some(({ type }) => type === 'problem')), false);
});

test('a conversation in text opens no microphone and no loudspeaker', async () => {
  const talk = await PageConversation.open(browser, relay, { modality: 'text', backup: false });
  await talk.run(() => {
    window.AudioContext = class {
      constructor() {
        throw new Error('sound');
      }
    };
  });
  await talk.connect();
  await talk.run(() => talk.sendText('In writing'));
  const { response } = await talk.event('response.done');
  assert.deepEqual(response.output_modalities, ['text']);
  assert.match((await finalTurns(talk, 2))[1].text, /In writing/);
  assert.equal(await talk.run(() => tracks.length), 0);
});

test('the transcript is a list that can be observed: each change is a new one, and no old one changes', async () => {
  const talk = await open({});
  const result = await talk.run(async () => {
    const lists = [];
    const copies = [];
    const states = new Set();
    const off = talk.subscribe(({ turns, state }) => {
      states.add(state);
      if (turns === lists.at(-1)) return;
      lists.push(turns);
      copies.push(JSON.stringify(turns));
    });
    await talk.connect();
    const answered = new Promise((resolve) =>
      talk.addEventListener('event', ({ detail }) => detail.type === 'response.done' && resolve()));
    talk.sendText('one two three four');
    await answered;
    const same = talk.turns === talk.turns && talk.snapshot === talk.snapshot;
    off();
    const before = lists.length;
    await talk.close();
    return {
      count: lists.length, unchanged: lists.every((list, at) => JSON.stringify(list) === copies[at]),
      silent: lists.length === before, same, states: [...states], kept: lists.at(-2)[0] === lists.at(-1)[0],
    };
  });
  assert.ok(result.count > 4, `${result.count} lists`);
  assert.deepEqual({ ...result, count: 0 }, { count: 0, unchanged: true, silent: true, same: true, states: ['idle', 'connecting', 'open'], kept: true });
});

test('both sides have a level; volume and loudspeaker can be chosen; a lost one is replaced', async () => {
  const talk = await PageConversation.open(browser, relay, { backup: false, volume: 0.5, turnDetection: null });
  await talk.run(() => {
    window.contexts = [];
    window.AudioContext = new Proxy(AudioContext, {
      construct: (Target, args) => contexts[contexts.push(new Target(...args)) - 1],
    });
    window.gains = [];
    const { createGain } = BaseAudioContext.prototype;
    BaseAudioContext.prototype.createGain = function () {
      return gains[gains.push(createGain.call(this)) - 1];
    };
    window.loudest = { input: 0, output: 0 };
    talk.on('level', ({ input, output }) => {
      loudest.input = Math.max(loudest.input, input);
      loudest.output = Math.max(loudest.output, output);
    });
  });
  await talk.connect();
  await talk.run(() => talk.sendText('one two three four five'));
  await talk.until(() => loudest.input > 0.05 && loudest.output > 0.01);
  assert.deepEqual(await talk.run(() => gains.map(({ gain }) => gain.value)), [0.5]);
  await talk.run(() => ((talk.volume = 0), (loudest.output = 0)));
  await talk.until(() => talk.level.output === 0);
  assert.deepEqual(await talk.run(() => [talk.volume, gains[0].gain.value]), [0, 0]);
  const chosen = await talk.run(async () => {
    const [{ deviceId }] = (await Conversation.devices('audiooutput')).filter((one) => one.deviceId && one.deviceId !== 'default');
    await talk.setSinkId(deviceId);
    return [deviceId, contexts[0].sinkId];
  });
  assert.equal(chosen[0], chosen[1]);
  await talk.run(() => talk.setSinkId('no such loudspeaker'));
  assert.equal(await talk.run(() => seen.findLast(({ type }) => type === 'problem').detail.code), 'speaker_unavailable');
  await talk.run(() => {
    navigator.mediaDevices.enumerateDevices = async () => [];
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  });
  await talk.until(() => seen.findLast(({ type }) => type === 'problem').detail.code === 'speaker_lost' && contexts[0].sinkId === '');
  assert.equal(await talk.run(() => talk.state), 'open');
});

test('the screen stays on while one talks', async () => {
  const talk = await open({ microphone: true });
  await talk.run(() => {
    window.locks = [];
    const request = async () => locks[locks.push({ held: true, release: async () => (locks.at(-1).held = false) }) - 1];
    Object.defineProperty(navigator, 'wakeLock', { value: { request } });
  });
  await talk.connect();
  await talk.until(() => locks.length === 1);
  // The browser takes the lock from a hidden page.
  await talk.run(() => document.dispatchEvent(new Event('visibilitychange')));
  await talk.until(() => locks.length === 2);
  await talk.run(() => talk.close());
  assert.equal(await talk.run(() => locks.at(-1).held), false);
});

test('sound that the browser blocks is reported in words, and starts with the first click', async (t) => {
  const strict = await startBrowser(t, { autoplay: false });
  const pages = {};
  const url = await serve(t, buildPackage(), pages);
  const near = await startRelay(t, {
    key: null, simulator: await startSimulator(t, [], '0.2'), set: [`server.allowed_origins=["${url}"]`],
  });
  pages['/'] = `<!doctype html><title>page</title><script type="module">
    import { Conversation } from '/verbatim.js';
    const talk = new Conversation({ url: '${near.wsUrl}', microphone: false, backup: false });
    talk.on('problem', ({ code, advice }) => console.log(code, advice));
    talk.on('heard', ({ audioMs }) => audioMs > 100 && console.log('heard'));
    await talk.connect();
    console.log('connected');
    talk.sendText('one two three');
  </script>`;
  const shown = await (await strict.newContext({ ignoreHTTPSErrors: true })).newPage();
  // Only by the console: a look into the page from here counts as a click.
  const lines = [];
  const said = (pattern) => (lines.some((line) => pattern.test(line)) ? undefined : shown.waitForEvent('console', (message) => pattern.test(message.text())));
  shown.on('console', (message) => lines.push(message.text()));
  await shown.goto(`${url}/`);
  await said(/playback_blocked.*click/i);
  await said(/connected/);
  assert.equal(lines.includes('heard'), false);
  await shown.mouse.click(5, 5);
  await said(/heard/);
});
