// Every recording, from provider to client through the relay and into the store.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isExtra, play, read, recordings } from './support/recording.mjs';
import { Client, run, startRelay, startSimulator } from './support/verbatim.mjs';

const names = readdirSync(recordings)
  .filter((file) => file.endsWith('.jsonl'))
  .map((file) => file.slice(0, -'.jsonl'.length));

/** The members of a transcript's turns that a test compares. */
const essence = (turns, expected) =>
  turns.map((turn, i) => ({
    role: turn.role,
    item_id: turn.item_id,
    text: turn.text,
    status: turn.status,
    deleted: turn.deleted ?? false,
    ...(expected[i]?.heard ? { heard: turn.heard?.audio_ms } : {}),
  }));

test('recorded conversations', async (t) => {
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, { simulator });
  for (const name of names) {
    await t.test(`${name} arrives unchanged and is kept [P2][P4][P5][P9]`, async (t) => {
      const token = await relay.mint({ user: 'recordings' });
      const client = await Client.connect(t, relay, { token, query: { model: name } });
      const seen = await play(client, read(name));
      await client.close();
      for (const frame of client.frames.slice(seen)) assert.ok(isExtra(frame), frame.slice(0, 200));

      const listed = await relay.request('/v1/sessions?user=recordings');
      const id = listed.json.sessions[0].id;
      const expected = JSON.parse(readFileSync(join(recordings, `${name}.expected.json`), 'utf8'));
      const wanted = essence(
        expected.turns.map((turn) => ({ ...turn, deleted: turn.deleted ?? false })),
        expected.turns,
      );
      const transcript = await relay.transcript(id);
      assert.equal(transcript.status, 'final');
      assert.deepEqual(essence(transcript.turns, expected.turns), wanted);

      const store = ['--set', `server.data_dir=${relay.dataDir}`];
      const exported = await run(['sessions', 'export', id, '--format', 'json', ...store]);
      assert.equal(exported.code, 0, exported.stderr);
      assert.deepEqual(essence(JSON.parse(exported.stdout).turns, expected.turns), wanted);
    });
  }
});
