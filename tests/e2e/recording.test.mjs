// Recorded conversations, and their files (docs/recording.md).
// Times are compared with those that the test measured itself, before and after each word.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as silence } from 'node:timers/promises';
import { Watcher } from './support/events.mjs';
import { eventually } from './support/process.mjs';
import { Scene, check, perMs, read, session, shown, tone, words } from './support/scene.mjs';
import { Client, run, startRelay, startSimulator, temporaryDirectory, within } from './support/verbatim.mjs';

/** A file as another program decodes it. */
function decoded(t, program, options, file) {
  const folder = temporaryDirectory(t);
  const [from, to] = ['encoded', 'decoded.wav'].map((name) => join(folder, name));
  writeFileSync(from, file);
  const { status, stderr } = spawnSync(program, [...options(from, to)], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return readFileSync(to);
}
const fromFlac = (t, file) => decoded(t, 'flac', (from, to) => ['--decode', '--silent', '-o', to, from], file);
const fromOpus = (t, file) => decoded(t, 'opusdec', (from, to) => ['--quiet', '--rate', '24000', from, to], file);

test('each word is where it was spoken: interruption, bursts, a pause, a new connection [P5][P15]', async (t) => {
  const scene = await Scene.start(t);
  assert.equal(scene.client.events[0].recording, true);
  assert.deepEqual(await scene.state, { state: 'none', until: null });
  const first = await scene.speak('u1', tone(400, 300));
  const answer = await scene.answer('a1', tone(600, 500), tone(700, 1500), tone(800, 1000));
  await scene.cut('a1', 1200); // of 3 s
  await silence(700);
  const second = await scene.speak('u2', tone(500, 300));
  const after = await scene.answer('a2', tone(900, 400));

  scene.line.vanish();
  await scene.atProvider();
  scene.line.takeRebuild(session);
  await eventually(() => scene.client.events.some(({ type, state }) => type === 'verbatim.upstream' && state === 'restored'), 'a new connection');
  await silence(700);
  const third = await scene.speak('u3', tone(400, 300));
  await scene.answer('a3', tone(1000, 400));
  await eventually(async () => (await scene.state).state === 'recording', 'an index on the disk');
  assert.equal((await scene.recording()).status, 409);
  const { turns } = await scene.end();
  assert.deepEqual(await scene.state, { state: 'kept', until: null });

  const whole = await scene.recording();
  assert.equal(whole.status, 200, whole.text);
  assert.equal(whole.type, 'audio/wav');
  const began = Date.parse((await scene.relay.request(`/v1/sessions/${scene.id}`)).json.attempts[0].started_at);
  const origin = began + Number(whole.headers['verbatim-starts-at-ms']);
  const [left, right] = read(whole.bytes);

  // Nothing was spoken before the attempt began, and a word ends before the next one of its speaker begins.
  const spoken = (times, floor) => times.map((time) => Math.max(time - origin, floor));
  const user = words(left, [400, 500]);
  assert.deepEqual(user.map(({ hertz }) => hertz), [400, 500, 400], shown(user));
  check(user[0], { hertz: 400, ms: 300, begin: spoken(first, 0) });
  check(user[1], { hertz: 500, ms: 300, begin: spoken(second, user[0].at + 300) });
  check(user[2], { hertz: 400, ms: 300, begin: spoken(third, user[1].at + 300) });
  const assistant = words(right, [600, 700, 800, 900, 1000]);
  assert.deepEqual(assistant.map(({ hertz }) => hertz), [600, 700, 900, 1000], shown(assistant));
  check(assistant[0], { hertz: 600, ms: 500, begin: spoken(answer, 0) });
  check(assistant[1], { hertz: 700, ms: 700, begin: [assistant[0].at + 500, assistant[0].at + 500] });
  check(assistant[2], { hertz: 900, ms: 400, begin: spoken(after, assistant[0].at + 1200) });
  const end = Math.max(user[2].at + 300, assistant[3].at + 400);
  assert.ok(Math.abs(left.length / perMs - end) <= 40, `${left.length / perMs} ms, not ${end}`);

  // One speaker, one turn, and what was not heard.
  const [alone] = read((await scene.recording('?track=assistant')).bytes);
  assert.deepEqual(alone, right);
  const ordinal = (item) => turns.find((turn) => turn.item_id === item).ordinal;
  const [turn] = read((await scene.recording(`?turn=${ordinal('u2')}&track=user`)).bytes);
  assert.equal(turn.length, 300 * perMs);
  assert.deepEqual(words(turn, [400, 500]).map(({ hertz }) => hertz), [500]);
  assert.equal((await scene.recording(`?turn=${ordinal('a1')}`)).bytes.length, 44 + 4 * 1200 * perMs);
  const [all] = read((await scene.recording(`?turn=${ordinal('a1')}&track=assistant&unheard=include`)).bytes);
  assert.deepEqual(words(all, [600, 700, 800]).map(({ hertz, ms }) => [hertz, ms]), [[600, 500], [700, 1500], [800, 1000]]);
  assert.equal((await scene.recording('?turn=99')).status, 404);

  // Any part of the file.
  const size = whole.bytes.length;
  for (const [from, to] of [[0, 0], [0, 43], [43, 44], [44, 45], [1, 70_001], [size - 1, size - 1], [size - 5, size + 5]]) {
    const part = await scene.recording('', { headers: { range: `bytes=${from}-${to}` } });
    assert.equal(part.status, 206);
    assert.deepEqual(part.bytes, whole.bytes.subarray(from, to + 1), `${from}-${to}`);
    assert.equal(part.headers['content-range'], `bytes ${from}-${Math.min(to, size - 1)}/${size}`);
  }
  assert.deepEqual((await scene.recording('', { headers: { range: 'bytes=-9' } })).bytes, whole.bytes.subarray(size - 9));
  const none = await scene.recording('', { headers: { range: `bytes=${size}-` } });
  assert.equal(none.status, 416);
  assert.equal(none.headers['content-range'], `bytes */${size}`);
  const other = await scene.recording('', { headers: { range: 'bytes=0-9', 'if-range': '"another"' } });
  assert.equal(other.status, 200);
  const head = await scene.recording('', { method: 'HEAD' });
  assert.equal(Number(head.headers['content-length']), size);
  assert.equal((await scene.recording('', { headers: { 'if-none-match': whole.headers.etag } })).status, 304);
});

test('kill -9 loses no sample that had arrived, and the next process goes on in the same files [P7][P14][P15]', async (t) => {
  const scene = await Scene.start(t);
  const said = [tone(400, 1000), tone(500, 1001)];
  for (const one of said) await scene.sent(one);
  await scene.answer('a1', tone(600, 500));
  scene.relay.program.child.kill('SIGKILL');
  await scene.relay.program.stop();
  const file = (name) => readFileSync(join(scene.folder(), name));
  assert.deepEqual(file('1.user.pcm'), Buffer.concat(said));
  assert.deepEqual(file('1.assistant.pcm'), tone(600, 500));
  writeFileSync(join(scene.folder(), '1.user.pcm'), Buffer.from([7]), { flag: 'a' }); // half of a sample

  scene.relay = await startRelay(t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: scene.set });
  scene.client = await Client.connectWithId(t, scene.relay, { token: scene.token, query: { model: 'm', session: scene.id } });
  assert.equal(scene.client.events[0].recording, true);
  await scene.atProvider();
  scene.line.takeRebuild(session);
  const last = tone(400, 300);
  await scene.sent(last);
  await scene.answer('a2', tone(700, 500));
  await scene.end();
  assert.deepEqual(file('1.user.pcm'), Buffer.concat([...said, Buffer.from([7, 0xff]), last]));
  const [left, right] = read((await scene.recording()).bytes);
  assert.deepEqual(words(left, [400, 500]).map(({ hertz }) => hertz), [400, 500, 400]);
  assert.deepEqual(words(right, [600, 700]).map(({ hertz }) => hertz), [600, 700]);
});

test('an erased session leaves no audio, by a request, from the command line and by age [P10][P15]', async (t) => {
  const scene = await Scene.start(t);
  await scene.sent(tone(400, 200));
  await scene.end();
  assert.deepEqual(readdirSync(scene.folder()), ['1.user.pcm']);
  assert.equal(statSync(join(scene.folder(), '1.user.pcm')).mode & 0o777, 0o600);
  assert.equal((await scene.relay.request(`/v1/sessions/${scene.id}`, { method: 'DELETE' })).status, 204);
  assert.equal(existsSync(scene.folder()), false);
  assert.equal((await scene.recording()).status, 404);

  const stopped = await Scene.start(t);
  await stopped.sent(tone(400, 200));
  await stopped.end();
  await stopped.relay.program.stop();
  assert.ok(existsSync(stopped.folder()));
  const erased = await run(['sessions', 'delete', stopped.id, '--set', `server.data_dir=${stopped.relay.dataDir}`]);
  assert.equal(erased.code, 0, erased.stderr);
  assert.equal(existsSync(stopped.folder()), false);

  const aged = await Scene.start(t, ['storage.retention=1s']);
  await aged.sent(tone(400, 200));
  await aged.end();
  await eventually(() => !existsSync(aged.folder()), 'the erasure by age');
});

test('recording.retention removes the audio and leaves the transcript [P15]', async (t) => {
  const scene = await Scene.start(t, ['recording.retention=1s']);
  await scene.speak('u1', tone(400, 200));
  await scene.end();
  assert.notEqual((await scene.state).until, null);
  await eventually(() => !existsSync(scene.folder()), 'the removal');
  const expired = await scene.state;
  assert.equal(expired.state, 'expired');
  const live = await Watcher.at(t, scene.relay, '/v1/live');
  await eventually(() => live.events.some(({ event }) => event === 'ready'), 'the first look');
  assert.deepEqual(live.events.find(({ data }) => data.id === scene.id).data.recording, expired);
  assert.equal((await scene.recording()).status, 404);
  assert.equal((await scene.relay.transcript(scene.id)).turns.length, 1);
  assert.match(scene.relay.program.stderr, /recording\.expired/);
});

test('only sessions whose token asks for it are recorded, and their clients learn it [P15]', async (t) => {
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, { simulator, set: ['recording.enabled=token'] });
  const talk = async (terms) => {
    const client = await Client.connectWithId(t, relay, { token: await relay.mint(terms) });
    await client.ask('Is this recorded?');
    await client.close();
    await relay.transcript(client.id);
    const { status } = await relay.request(`/v1/sessions/${client.id}/recording`);
    const { recording } = (await relay.request(`/v1/sessions/${client.id}`)).json;
    return { told: client.events[0].recording, status, state: recording.state };
  };
  assert.deepEqual(await talk({}), { told: false, status: 404, state: 'none' });
  assert.deepEqual(await talk({ recording: false }), { told: false, status: 404, state: 'none' });
  assert.equal(existsSync(join(relay.dataDir, 'recordings')), false);
  assert.deepEqual(await talk({ recording: true }), { told: true, status: 200, state: 'kept' });
});

test('by default nothing is recorded, and a token that asks for it is refused [P10][P12]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay);
  assert.equal(client.events[0].recording, false);
  client.send({ type: 'input_audio_buffer.append', audio: tone(400, 100).toString('base64') });
  await client.ask('Is this recorded?');
  await client.close();
  await relay.transcript(client.id);
  assert.equal((await relay.request(`/v1/sessions/${client.id}/recording`)).status, 404);
  assert.equal(existsSync(join(relay.dataDir, 'recordings')), false);
  const refused = await relay.request('/v1/realtime/client_secrets', { method: 'POST', body: { verbatim: { recording: true } } });
  assert.equal(refused.status, 400);
  assert.match(refused.text, /recording\.enabled/);
});

test('a disk that takes no audio ends the recording loudly, and the conversation goes on [P6][P15]', async (t) => {
  const dir = join(temporaryDirectory(t), 'audio');
  const scene = await Scene.start(t, [`recording.dir=${dir}`]);
  writeFileSync(dir, 'in the place of the folder');
  await scene.speak('u1', tone(400, 200));
  await scene.speak('u2', tone(400, 200));
  await scene.answer('a1', tone(600, 200));
  const { turns } = await scene.end();
  assert.equal(turns.length, 3);
  assert.equal((await scene.state).state, 'stopped');
  assert.equal((await scene.recording()).status, 404);
  const metrics = (await scene.relay.request('/metrics')).text;
  assert.match(metrics, /^verbatim_recording_failures_total 1$/m);
  assert.equal(scene.relay.program.stderr.match(/recording\.stopped/g).length, 1);
});

test('FLAC has the samples of the WAV file, and Opus its words, for other programs [P15]', async (t) => {
  const scene = await Scene.start(t);
  await scene.speak('u1', tone(400, 300));
  await scene.answer('a1', tone(600, 500), tone(700, 1500));
  await scene.cut('a1', 1200); // of 2 s
  await scene.speak('u2', tone(500, 300));
  await scene.answer('a2', tone(900, 400));
  const { turns } = await scene.end();
  const ordinal = turns.find(({ item_id }) => item_id === 'a1').ordinal;
  for (const part of ['', 'track=user', 'track=assistant', 'unheard=include', `turn=${ordinal}`, `turn=${ordinal}&track=assistant&unheard=include`]) {
    const wav = await scene.recording(`?${part}`);
    const flac = await scene.recording(`?${part}&format=flac`);
    assert.equal(flac.status, 200, flac.text);
    assert.deepEqual(fromFlac(t, flac.bytes), wav.bytes, part);

    const opus = await scene.recording(`?${part}&format=opus`);
    assert.equal(opus.status, 200, opus.text);
    const spoken = read(wav.bytes);
    const heard = read(fromOpus(t, opus.bytes));
    assert.equal(heard.length, spoken.length);
    assert.ok(Math.abs(heard[0].length - spoken[0].length) <= 40 * perMs, `${heard[0].length} samples, not ${spoken[0].length}`);
    const tones = [400, 500, 600, 700, 900];
    for (const [channel, samples] of spoken.entries()) {
      const found = words(heard[channel], tones);
      const expected = words(samples, tones);
      assert.deepEqual(found.map(({ hertz }) => hertz), expected.map(({ hertz }) => hertz), part);
      for (const [i, { at, ms }] of expected.entries())
        assert.ok(Math.abs(found[i].at - at) <= 20 && Math.abs(found[i].ms - ms) <= 40, `${part}: ${shown(found)}, not ${shown(expected)}`);
    }
  }

  const wav = await scene.recording();
  for (const [format, type] of [['flac', 'audio/flac'], ['opus', 'audio/ogg; codecs=opus']]) {
    const whole = await scene.recording(`?format=${format}`, { headers: { range: 'bytes=0-9' } });
    assert.equal(whole.status, 200);
    assert.equal(whole.type, type);
    assert.equal(whole.headers['accept-ranges'], undefined);
    assert.equal(whole.headers['transfer-encoding'], 'chunked');
    assert.equal(whole.headers['verbatim-starts-at-ms'], wav.headers['verbatim-starts-at-ms']);
    assert.match(whole.headers['content-disposition'], new RegExp(`1\\.${format}"$`));
    assert.notEqual(whole.headers.etag, wav.headers.etag);
    const again = await scene.recording(`?format=${format}`);
    assert.deepEqual(again.bytes, whole.bytes);
    assert.equal((await scene.recording(`?format=${format}`, { headers: { 'if-none-match': again.headers.etag } })).status, 304);
    assert.equal((await scene.recording(`?format=${format}`, { method: 'HEAD' })).type, type);
  }
  assert.ok((await scene.recording('?format=opus')).bytes.length < wav.bytes.length / 10);
});

test('a telephone call is decoded for FLAC and Opus [P15]', async (t) => {
  const format = { type: 'audio/pcmu' };
  const scene = await Scene.start(t, [], { ...session, audio: { input: { ...session.audio.input, format }, output: { format } } });
  await scene.sent(Buffer.alloc(8000, Buffer.from([0xff, 0x00, 0x80, 0x7f])));
  await scene.end();
  const wav = await scene.recording('?track=user');
  assert.equal(wav.bytes.readUInt32LE(24), 8000);
  assert.deepEqual([0, 1, 2, 3].map((i) => wav.bytes.readInt16LE(44 + 2 * i)), [0, -32124, 32124, 0]);
  assert.deepEqual(fromFlac(t, (await scene.recording('?track=user&format=flac')).bytes), wav.bytes);
  const opus = fromOpus(t, (await scene.recording('?track=user&format=opus')).bytes);
  assert.ok(Math.abs(opus.length - 44 - 2 * 24000) <= 40 * 2 * perMs, `${opus.length} bytes`);
});

/** A recording that no system buffers for a reader that does not read: noise that cannot be compressed. */
async function longRecording(t, set = []) {
  const scene = await Scene.start(t, ['tls.enabled=false', 'server.request_timeout=10m', ...set]);
  await scene.sent(tone(400, 100));
  await scene.end();
  scene.file = join(scene.folder(), '1.user.pcm');
  for (let i = 0; i < 4; ++i) appendFileSync(scene.file, randomFillSync(Buffer.alloc(16 << 20)));
  return scene;
}

/** Reads nothing before read(). Then all that comes until the connection ends. */
class Reader {
  bytes = 0;
  head = '';
  tail = Buffer.alloc(0);

  static async begin(t, scene, query, { half = false } = {}) {
    const reader = new Reader();
    const { hostname, port } = new URL(scene.relay.url);
    reader.socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    t.after(() => reader.socket.destroy());
    reader.socket.on('error', () => {});
    reader.over = new Promise((resolve) => reader.socket.on('close', resolve).on('end', resolve));
    reader.socket.write(`GET /v1/sessions/${scene.id}/recording${query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${scene.relay.key}\r\n\r\n`);
    if (half) reader.socket.end();
    await within(new Promise((resolve) => reader.socket.once('readable', resolve)), 'the beginning of an answer');
    const first = reader.socket.read();
    const end = first.indexOf('\r\n\r\n');
    reader.head = first.toString('latin1', 0, end);
    reader.take(first.subarray(end + 4));
    return reader;
  }

  take(piece) {
    this.bytes += piece.length;
    this.tail = Buffer.concat([this.tail, piece]).subarray(-5);
  }

  async read() {
    this.socket.on('data', (piece) => this.take(piece));
    await within(this.over, 'the end of the connection');
    return this;
  }

  /** Whether an HTTP client takes the answer for whole. */
  get whole() {
    const length = /^content-length: (\d+)/im.exec(this.head)?.[1];
    return length ? this.bytes >= Number(length) : this.tail.toString('latin1') === '0\r\n\r\n';
  }
}

const formats = ['wav', 'flac', 'opus'];

/** The log comes on a way of its own, perhaps after the end of a connection. */
const logged = (scene, line, count) => eventually(() => scene.relay.program.stderr.match(line)?.length === count, `${count} lines ${line}`);

test('a session that is erased while its recording is sent ends the answer [P10][P15]', async (t) => {
  const scene = await longRecording(t);
  const readers = [];
  for (const format of formats) readers.push(await Reader.begin(t, scene, `?format=${format}`));
  assert.equal((await scene.relay.request(`/v1/sessions/${scene.id}`, { method: 'DELETE' })).status, 204);
  for (const [i, reader] of readers.entries()) {
    assert.match(reader.head, /^HTTP\/1\.1 200 /);
    assert.equal((await reader.read()).whole, false, formats[i]);
  }
  await logged(scene, /recording\.erased_while_read/g, formats.length);
  assert.doesNotMatch(scene.relay.program.stderr, /recording\.not_read/);
});

test('a file that is cut while it is sent breaks the connection, and the log says why [P6][P15]', async (t) => {
  const scene = await longRecording(t);
  const readers = [];
  for (const format of formats) readers.push(await Reader.begin(t, scene, `?format=${format}`));
  truncateSync(scene.file, 60 << 20);
  for (const [i, reader] of readers.entries()) assert.equal((await reader.read()).whole, false, formats[i]);
  await logged(scene, /recording\.not_read.*1\.user\.pcm has 62914560 bytes/g, formats.length);
});

test('a reader that says nothing more gets no part of a recording as the whole [P6][P15]', async (t) => {
  const scene = await longRecording(t);
  for (const format of ['flac', 'opus']) {
    const reader = await Reader.begin(t, scene, `?format=${format}`, { half: true });
    assert.equal((await reader.read()).whole, false, format);
  }
});

test('encoding has its own thread and a bound, and a reader that leaves frees its place [P11][P15]', async (t) => {
  const scene = await longRecording(t, ['recording.exports_max=1']);
  const reader = await Reader.begin(t, scene, '?format=flac');
  const refused = await scene.recording('?format=opus');
  assert.equal(refused.status, 503);
  assert.equal(refused.json.title, 'too many recording exports');
  assert.ok(Number(refused.headers['retry-after']) > 0);
  assert.match(refused.json.detail, /recording\.exports_max/);
  assert.equal((await scene.recording('', { headers: { range: 'bytes=0-99' } })).status, 206);
  reader.socket.destroy();
  truncateSync(scene.file, 4 << 20);
  await eventually(async () => (await scene.recording('?format=opus')).status === 200, 'a free place');

  // Of the clock's ticks, as /proc counts them.
  const tasks = `/proc/${scene.relay.program.pid}/task`;
  const threads = readdirSync(tasks).map((id) => {
    const [, name, rest] = /\((.*)\) (.*)/.exec(readFileSync(`${tasks}/${id}/stat`, 'utf8'));
    const fields = rest.split(' ');
    return { name, ticks: Number(fields[11]), nice: Number(fields[16]) };
  });
  const encoder = threads.find(({ name }) => name === 'audio-encoder');
  assert.equal(encoder.nice, 10);
  for (const { name, ticks } of threads) assert.ok(name === 'audio-encoder' || ticks < encoder.ticks / 2, `${name}: ${ticks} of ${encoder.ticks}`);
});
