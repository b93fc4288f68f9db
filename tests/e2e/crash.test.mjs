// The state after kill -9, and after a stop.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { play, read } from './support/recording.mjs';
import {
  Client,
  makeKey,
  startRelay,
  startSimulator,
  temporaryDirectory,
} from './support/verbatim.mjs';

const isText = ({ type }) =>
  type === 'response.output_audio_transcript.delta' ||
  type === 'response.output_text.delta' ||
  type === 'conversation.item.input_audio_transcription.delta';

/** All text that a client was sent, by item. */
function received(client) {
  const texts = new Map();
  for (const event of client.events.filter(isText)) {
    texts.set(event.item_id, (texts.get(event.item_id) ?? '') + event.delta);
  }
  return texts;
}

// A transcription's final text may be in the journal but not at the client; real ones drop the leading space of
// the first piece.
function assertKept(transcript, client) {
  for (const [item, text] of received(client)) {
    const turn = transcript.turns.find((kept) => kept.item_id === item);
    assert.ok(turn, `no turn for ${item}`);
    const pieces = turn.role === 'user' && turn.status === 'completed' ? text.trimStart() : text;
    assert.ok(turn.text.startsWith(pieces), `kept "${turn.text}", received "${text}"`);
  }
}

// Where to kill: at this delta of this recording. The first recording stops in mid-sentence by itself.
const cuts = [
  ...[1, 2, 3].map((count) => ['synthetic-13-cut-mid-assistant-delta', count]),
  ...[1, 7, 20, 40].map((count) => ['ga-openai-three-vad-turns', count]),
];

for (const [recording, count] of cuts) {
  test(`a kill at delta ${count} of ${recording} loses nothing that arrived [P1][P7]`, async (t) => {
    const simulator = await startSimulator(t);
    const dataDir = temporaryDirectory(t);
    const key = makeKey();
    const doomed = await startRelay(t, { simulator, dataDir, key });
    const client = await Client.connectWithId(t, doomed, { query: { model: recording } });
    const events = (client) => client.events.filter(isText).length >= count;
    const cut = client.until(events, `${count} deltas`).then(() => doomed.program.stop('SIGKILL'));
    // The client ends with its recording or with the connection.
    await Promise.all([cut, play(client, read(recording)).catch(() => {})]);
    await client.closed;

    const relay = await startRelay(t, { simulator, dataDir, key });
    const transcript = await relay.transcript(client.id);
    assert.equal(transcript.status, 'final');
    assert.equal(transcript.close_reason, 'crash_recovered');
    assertKept(transcript, client);
    assert.ok(transcript.turns.every((turn) => turn.status !== 'in_progress'));
    if (recording.startsWith('synthetic-13')) {
      assert.equal(transcript.turns.at(-1).status, 'interrupted');
    }
  });
}

test('a second start after a crash changes nothing more [P7]', async (t) => {
  const simulator = await startSimulator(t);
  const dataDir = temporaryDirectory(t);
  const key = makeKey();
  const doomed = await startRelay(t, { simulator, dataDir, key });
  const client = await Client.connectWithId(t, doomed);
  await client.ask('Hello?');
  await doomed.program.stop('SIGKILL');
  const first = await startRelay(t, { simulator, dataDir, key });
  const once = await first.transcript(client.id);
  await first.program.stop('SIGKILL');
  const second = await startRelay(t, { simulator, dataDir, key });
  assert.deepEqual(await second.transcript(client.id), once);
});

test('SIGTERM notifies clients, finalises and exits 0 [P2]', async (t) => {
  const simulator = await startSimulator(t);
  const dataDir = temporaryDirectory(t);
  const key = makeKey();
  const relay = await startRelay(t, { simulator, dataDir, key });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Hello?');
  assert.deepEqual(await relay.program.stop('SIGTERM'), { code: 0, signal: null });
  assert.ok([1001, 1012].includes((await client.closed).code));

  const again = await startRelay(t, { simulator, dataDir, key });
  const transcript = await again.transcript(client.id);
  assert.equal(transcript.status, 'final');
  assert.equal(transcript.close_reason, 'server_shutdown');
  assert.equal(transcript.turns.length, 2);
});

test('a second signal hurries the end and leaves out no record [P2]', async (t) => {
  const simulator = await startSimulator(t);
  const dataDir = temporaryDirectory(t);
  const key = makeKey();
  const relay = await startRelay(t, { simulator, dataDir, key });
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => Client.connectWithId(t, relay)),
  );
  await Promise.all(clients.map((client) => client.ask('Hello?')));
  relay.program.child.kill('SIGTERM');
  relay.program.child.kill('SIGINT');
  assert.deepEqual(await relay.program.over, { code: 0, signal: null });
  const again = await startRelay(t, { simulator, dataDir, key });
  for (const client of clients) {
    const transcript = await again.transcript(client.id);
    assert.equal(transcript.close_reason, 'server_shutdown');
    assert.equal(transcript.turns.length, 2);
  }
});

test('any number of signals, at any moment, leaves the exit code unchanged [P2]', async (t) => {
  const simulator = await startSimulator(t);
  for (let round = 0; round < 5; ++round) {
    const { program } = await startRelay(t, { simulator });
    program.child.kill('SIGTERM');
    const hurrying = setInterval(() => {
      for (let i = 0; i < 50; ++i) program.child.kill('SIGINT');
    }, 0);
    const over = await program.over;
    clearInterval(hurrying); // first: it would keep a failed test alive
    assert.deepEqual(over, { code: 0, signal: null });
  }
});
