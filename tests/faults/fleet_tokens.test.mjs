// Client tokens that one relay of a fleet has minted, used and revoked at another (P8, P10, P14). Real relays, and a real
// PostgreSQL that they share.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { eventually, sharedSimulator } from '../e2e/support/cell.mjs';
import { holders } from '../e2e/support/holders.mjs';
import { Client, refusal, within } from '../e2e/support/verbatim.mjs';
import { Fleet, fleetTest as test, sharedServer } from './fleet/nodes.mjs';

const simulator = sharedSimulator();

const server = sharedServer();

const two = async (t) => {
  const fleet = await Fleet.start(t, { simulator, postgres: server.postgres, names: ['a', 'b'] });
  return { ...fleet, ...fleet.nodes };
};

/** An open token: it may name any session of its user. */
async function minted(relay, user) {
  const { status, json } = await relay.request('/v1/realtime/client_secrets', {
    method: 'POST',
    body: {
      session: { type: 'realtime', instructions: 'Speak like a heron.' },
      verbatim: { user, policy: { locked: ['instructions'] } },
    },
  });
  assert.equal(status, 200);
  return { token: json.value, id: json.verbatim.token_id, session: json.verbatim.session_id };
}

const revoke = async (relay, id) => (await relay.request(`/v1/client_secrets/${id}`, { method: 'DELETE' })).status;
const code = async (relay, token, session) => {
  const answer = await refusal(relay, { token, query: { session } }).catch(() => ({}));
  return answer.json?.error?.code;
};

describe('a token of another relay', { concurrency: 3 }, () => {
  test('opens any session of its user, with its settings and its locks [P8][P14]', async (t) => {
    const { a, b, comes } = await two(t);
    const { token, id } = await minted(a, 'ann');
    await comes(`SELECT count(*) FROM client_secret WHERE id = '${id}'`, '1', 'the token');
    const client = await Client.connect(t, b, { token, query: { session: 'sess_other' } });
    const created = await client.event('session.created');
    assert.equal(created.session.instructions, 'Speak like a heron.');
    client.send({ type: 'session.update', session: { type: 'realtime', instructions: 'Speak like a wren.' } });
    assert.equal((await client.event('error')).error.code, 'field_locked');
    await client.ask('Who am I?');
    assert.equal((await b.request('/v1/sessions/sess_other')).json.user, 'ann');
    assert.equal((await b.request('/v1/sessions/sess_other/transcript', { key: token })).status, 200);
  });

  test('is refused once the other relay has revoked it, and its connections end [P8][P14]', async (t) => {
    const { a, b, comes } = await two(t);
    const { token, id } = await minted(a, 'ann');
    const spare = await minted(a, 'ann');
    await comes('SELECT count(*) FROM client_secret', '2', 'the tokens');
    const client = await Client.connect(t, b, { token, query: { session: 'sess_other' } });
    await client.ask('May I go on?');
    const bystander = await Client.connect(t, b, { token: spare.token, query: { session: 'sess_third' } });
    assert.equal(await revoke(a, id), 204);
    assert.equal((await within(client.closed, 'the close')).code, 3000);
    assert.equal(await code(b, token, 'sess_other'), 'token_revoked');
    await bystander.ask('And I?');
    // One that this relay has never seen.
    const { token: unseen, id: its } = await minted(a, 'ben');
    await comes(`SELECT count(*) FROM client_secret WHERE id = '${its}'`, '1', 'the token');
    assert.equal(await revoke(b, its), 204);
    await eventually(async () => (await code(a, unseen, 'sess_ben')) === 'token_revoked', 'the refusal of the relay that minted it');
    assert.equal(await code(b, unseen, 'sess_ben'), 'token_revoked');
    assert.equal(await revoke(b, 'cs_nobody'), 404);
    await bystander.ask('Still?');
  });

  test('is not refused for good while the database is away [P14]', async (t) => {
    const { a, b, comes } = await two(t);
    const seen = await minted(a, 'ann');
    const unseen = await minted(a, 'ben');
    await comes('SELECT count(*) FROM client_secret', '2', 'the tokens');
    const first = await Client.connect(t, b, { token: seen.token, query: { session: 'sess_ann' } });
    await first.ask('Am I here?');
    b.toDatabase.down = true;
    b.toDatabase.cut();
    await first.ask('And without the database?');
    const answer = await refusal(b, { token: unseen.token, query: { session: 'sess_ben' } });
    assert.equal(answer.status, 503);
    b.toDatabase.down = false;
    const late = await eventually(
      () => Client.connect(t, b, { token: unseen.token, query: { session: 'sess_ben' } }).catch(() => undefined),
      'the token of the other relay',
    );
    assert.equal((await late.event('session.created')).session.instructions, 'Speak like a heron.');
  });

  test('leaves no name here when its session is erased there [P10][P14]', async (t) => {
    const { a, b, comes } = await two(t);
    const { token, id, session } = await minted(a, 'narwhal');
    const at = await Client.connect(t, a, { token });
    await at.ask('Hello?');
    await at.close();
    await a.transcript(session);
    await comes(`SELECT count(*) FROM client_secret WHERE id = '${id}'`, '1', 'the token');
    const client = await Client.connect(t, b, { token, query: { session: 'sess_other' } });
    await client.ask('And here?');
    client.send({ type: 'verbatim.end' });
    await within(client.closed, 'the end');
    for (const [relay, one] of [[b, 'sess_other'], [a, session]])
      assert.equal((await relay.request(`/v1/sessions/${one}`, { method: 'DELETE' })).status, 204);
    await comes('SELECT count(*) FROM erased_on', '4', 'the confirmations of both relays');
    await eventually(() => holders([a.dataDir, b.dataDir], 'narwhal').length === 0, 'no name in any file');
  });
});
