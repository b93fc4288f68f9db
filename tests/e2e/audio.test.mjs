// Audio as binary frames: only the client that asked for them gets them; all others get the same events.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, refusal, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

const query = { events: 'verbatim', audio: 'binary' };

/** The contents of a frame: the event without its audio, and the audio. */
function read(frame) {
  const head = frame.readUInt16BE(0);
  return { event: JSON.parse(frame.subarray(2, 2 + head)), audio: frame.subarray(2 + head) };
}

function frames(client) {
  const all = [];
  client.socket.on('message', (data, isBinary) => isBinary && all.push(read(data)));
  return all;
}

test('audio in binary frames is the audio of the provider and of the client, byte for byte [P5][P9]', async (t) => {
  const directory = temporaryDirectory(t);
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [`capture.dir=${directory}`],
  });
  const client = await Client.connect(t, relay, { query, token: await relay.mint() });
  const heard = frames(client);
  const { session_id: id, audio } = await client.event('verbatim.session');
  assert.equal(audio, 'binary');
  const spoken = Buffer.from(Array.from({ length: 4801 }, (_, i) => (i * 37) % 256));
  client.socket.send(spoken);
  await client.ask('Say something.');
  assert.ok(heard.length > 3, `${heard.length} frames`);
  assert.ok(!client.events.some(({ type }) => type === 'response.output_audio.delta'));
  await client.close();
  await relay.transcript(id);
  await relay.program.stop(); // the capture file is complete by then

  const seen = readFileSync(join(directory, `${id}.1.jsonl`), 'utf8').trim().split('\n').map(JSON.parse);
  const appended = seen.filter(({ dir, event }) => dir === 'c2s' && event.type === 'input_audio_buffer.append');
  assert.deepEqual(appended.map(({ event }) => event.audio), [spoken.toString('base64')]);
  const deltas = seen.filter(({ dir, event }) => dir === 's2c' && event.type === 'response.output_audio.delta');
  assert.deepEqual(
    heard.map(({ event, audio }) => ({ ...event, delta: audio.toString('base64') })),
    deltas.map(({ event }) => event),
  );
});

test('a frame counts as one message when a client resumes, with or without binary audio [P8]', async (t) => {
  const relay = await startRelay(t, {
    simulator: await startSimulator(t, [], '1'),
    set: ['session.resume_window=30s'],
  });
  const token = await relay.mint();
  const first = await Client.connect(t, relay, { query, token });
  const heard = frames(first);
  const { session_id: session } = await first.event('verbatim.session');
  first.send({
    type: 'conversation.item.create',
    item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Tell me more.' }] },
  });
  first.send({ type: 'response.create' });
  await first.until(() => heard.length > 2, 'three frames of audio');
  const after = first.events.length;
  first.socket.terminate();
  const second = await Client.connect(t, relay, {
    query: { events: 'verbatim', session, after },
    token,
  });
  await second.event('response.done');
  const deltas = second.events.filter(({ type }) => type === 'response.output_audio.delta');
  assert.ok(deltas.length > 0);
  const ids = [...heard.map(({ event }) => event.event_id), ...deltas.map((event) => event.event_id)];
  assert.equal(new Set(ids).size, ids.length);
});

test('binary audio goes only to a client that requested it and gets the confirmation; a wrong request is refused [P9]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connect(t, relay, { query: { audio: 'binary' }, token: await relay.mint() });
  await client.ask('Hello?');
  assert.ok(client.events.some(({ type }) => type === 'response.output_audio.delta'));
  const refused = await refusal(relay, { query: { audio: 'mp3' }, token: await relay.mint() });
  assert.equal(refused.status, 400);
  assert.equal(refused.json.error.code, 'invalid_audio');
});
