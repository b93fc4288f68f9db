// A limit on file size (ulimit -f, LimitFSIZE=) and a quota count as a full disk. No signal ends the process.
// Words wait or conversations end, and the relay continues when there is space.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { eventually } from '../e2e/support/cell.mjs';
import { Client, refusal, startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { Shim } from './shim.mjs';

const page = 4096;

/** The soft limit of a running process, in bytes. */
function limitFiles(relay, bytes) {
  const set = spawnSync('prlimit', ['--pid', String(relay.program.pid), `--fsize=${bytes}:unlimited`]);
  assert.equal(set.status, 0, String(set.stderr));
}

const readiness = async (relay) => (await relay.request('/readyz')).status;

const isDelta = ({ type }) => type === 'response.output_audio_transcript.delta';

/** All text of answers that the client was sent is in the transcript. */
function assertKept(transcript, client) {
  const texts = new Map();
  for (const { item_id, delta } of client.events.filter(isDelta))
    texts.set(item_id, (texts.get(item_id) ?? '') + delta);
  assert.ok(texts.size > 0);
  for (const [item, text] of texts) {
    const turn = transcript.turns.find((kept) => kept.item_id === item);
    assert.ok(turn?.text.startsWith(text), `kept "${turn?.text}", received "${text}"`);
  }
}

async function start(t, set, env) {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set, env });
  const token = await relay.mint({ user: 'ann' });
  const client = await Client.connectWithId(t, relay, { token });
  await client.ask('Hello?');
  return { relay, client, token };
}

/** Limits that make the files too large, and how each is removed. */
const reasons = {
  'the limit of a process on the size of files': async (t) => ({
    strike: (relay) => limitFiles(relay, page),
    recover: (relay) => limitFiles(relay, 'unlimited'),
  }),
};
for (const [what, error] of [['a quota', 'EDQUOT'], ['the largest file that the file system can have', 'EFBIG']]) {
  reasons[what] = async (t) => {
    const shim = new Shim(t);
    let armed;
    return {
      env: shim.env,
      strike: () => (armed = ['*.db-wal', '*.db'].map((file) => shim.arm({ calls: ['write'], file, action: 'fail', error }))),
      recover: () => armed.forEach((one) => one.disarm()),
    };
  };
}

for (const [what, make] of Object.entries(reasons)) {
  describe(what, { concurrency: 2 }, () => {
    test('for a moment: words wait, and people do not notice [P1][P6]', async (t) => {
      const { env, strike, recover } = await make(t);
      const { relay, client } = await start(t, ['journal.full_retry=10m'], env);
      strike(relay);
      const asked = client.ask('Is there room?');
      await relay.program.logged('storage.trouble');
      assert.match(relay.program.stderr, /state=stalled kind=disk_full/);
      assert.equal(await readiness(relay), 503);
      recover(relay);
      await asked;
      await relay.program.logged('storage.healed');
      assert.equal(await readiness(relay), 200);
      await client.close();
      assertKept(await relay.transcript(client.id), client);
    });

    test('for long: conversations end with a reason, no new session is admitted, and it recovers [P1][P2][P6]', async (t) => {
      const { env, strike, recover } = await make(t);
      const { relay, client, token } = await start(t, ['journal.full_retry=50ms'], env);
      strike(relay);
      client.ask('Is there room?').catch(() => {}); // it ends with the conversation
      const { code, reason } = await client.closed;
      assert.deepEqual([code, reason], [1011, 'storage_failure']);
      assert.equal(await readiness(relay), 503);
      assert.equal((await refusal(relay, { token })).status, 503);
      assert.equal((await relay.request('/healthz')).status, 200);
      recover(relay);
      await relay.program.logged('storage.healed');
      const transcript = await relay.transcript(client.id);
      assert.equal(transcript.close_reason, 'storage_failure');
      assertKept(transcript, client);
      await eventually(async () => (await readiness(relay)) === 200, 'readiness');
      const next = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'bob' }) });
      await next.ask('Room again?');
      assert.deepEqual(await relay.program.stop(), { code: 0, signal: null });
    });
  });
}
