// An operator ends a session while the disk does not answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../e2e/support/cell.mjs';
import { Provider } from '../e2e/support/provider.mjs';
import { Client, startRelay, within } from '../e2e/support/verbatim.mjs';
import { Shim } from './shim.mjs';

test('an end that the disk has not confirmed in time answers 202 with what is pending, and 200 once it has [P2][P6]', async (t) => {
  const shim = new Shim(t);
  const provider = await Provider.start(t);
  const relay = await startRelay(t, {
    set: [
      `upstream.url=${provider.url}`,
      'session.close_timeout=500ms',
      'session.transcription_grace=0s',
      'session.end_wait=200ms',
      'journal.slow_commit=1m',
      'journal.stuck_commit=10m',
    ],
    env: shim.env,
  });
  const id = 'sess_held';
  const token = await relay.mint({ user: 'ann' });
  const client = await Client.connect(t, relay, { token, query: { model: 'm', session: id, events: 'verbatim' } });
  const line = await within(Promise.resolve(provider.line('m')), 'the provider’s line');
  line.say({ type: 'session.created', session: { type: 'realtime', id: 'sess_provider' } });
  await client.event('session.created');
  const end = (body) => relay.request(`/v1/sessions/${id}/end`, { method: 'POST', ...(body && { body }) });

  const held = shim.arm({ calls: 'fdatasync', file: '*-wal', action: 'hold' });
  const first = await end({ reason: 'done' });
  assert.equal(first.status, 202, first.text);
  assert.deepEqual([first.json.id, first.json.pending], [id, ['storage']]);
  assert.ok(first.json.detail.length > 10);
  assert.equal(first.headers.location, `/v1/sessions/${id}`);
  assert.ok(Number(first.headers['retry-after']) > 0);
  assert.equal((await end()).status, 202, 'another request waits for the same end');
  assert.ok(!client.events.some((event) => event.type === 'verbatim.ended'), 'the client learns of no end that is not stored');

  held.disarm();
  await client.event('verbatim.ended');
  const last = await end();
  assert.equal(last.status, 200, last.text);
  assert.deepEqual([last.json.status, last.json.close_reason, last.json.attempts.length], ['final', 'operator', 1]);
  await eventually(async () => {
    const { text } = await relay.request('/metrics');
    return /^verbatim_sessions_ended_total\{reason="operator"\} 1$/m.test(text);
  }, 'it ended once');
});
