// A session that moved from one relay of a fleet to another: the copy that the first one still has (P3, P10, P14). Real
// relays, and a real PostgreSQL that they share.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { eventually, sharedSimulator } from '../e2e/support/cell.mjs';
import { holders } from '../e2e/support/holders.mjs';
import { Client, run as command, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { Fleet, fleetTest as test, sharedServer } from './fleet/nodes.mjs';

const simulator = sharedSimulator();

const server = sharedServer();

const end = async (relay, client, id) => {
  await client.close();
  return relay.transcript(id);
};

/** Two relays. The first attempt of the session was at `a`, which is dead; the second has ended at `b`. */
async function moved(t, name, env) {
  const id = 'sess_1';
  const fleet = await Fleet.start(t, { simulator, postgres: server.postgres, names: ['a', 'b'], env });
  const { nodes, comes, mayFence } = fleet;
  const token = await nodes.a.mint({ user: name, session_id: id });
  const first = await Client.connect(t, nodes.a, { token });
  await first.ask(`The ${name} at the first relay.`);
  await end(nodes.a, first, id);
  await comes('SELECT count(*) FROM attempt WHERE ended_at IS NOT NULL', '1', 'the first attempt');
  await mayFence();
  await nodes.a.program.stop('SIGKILL');
  const second = await eventually(() => Client.connect(t, nodes.b, { token }).catch(() => undefined), 'the second relay');
  await second.ask(`The ${name} at the second relay.`);
  await end(nodes.b, second, id);
  await comes('SELECT count(*) FROM attempt WHERE ended_at IS NOT NULL', '2', 'the second attempt');
  return { ...fleet, id, token, path: `/v1/sessions/${id}` };
}

describe('a relay that lost a session', { concurrency: 2 }, () => {
  test('erases its old copy, and the session stays for all others [P3][P14]', async (t) => {
    const { nodes, sql, comes, again, id, path } = await moved(t, 'walrus');
    const erased = await command(['sessions', 'delete', id, '--set', `server.data_dir=${nodes.a.dataDir}`]);
    assert.equal(erased.code, 0, erased.stderr);
    const [node, shipped] = sql('SELECT node_id, shipped FROM node ORDER BY incarnation LIMIT 1').split('|');
    const a = await again('a');
    await comes(`SELECT bool_or(shipped > ${shipped}) FROM node WHERE node_id = '${node}'`, 't', 'the rest of the first relay');
    const { json } = await a.request(path);
    assert.equal(json.attempts.length, 2);
    assert.equal(sql('SELECT count(*) FROM turn'), '4');
    assert.equal(sql('SELECT count(*) FROM erased'), '0');
    assert.equal((await nodes.b.transcript(id)).turns.length, 2);
  });

  test('erases its old copy when it comes back, if the session was erased meanwhile [P10][P14]', async (t) => {
    const captured = temporaryDirectory(t);
    const { nodes, sql, comes, again, path } = await moved(t, 'narwhal', { a: { VERBATIM_CAPTURE_DIR: captured } });
    assert.equal((await nodes.b.request(path, { method: 'DELETE' })).status, 204);
    await comes('SELECT count(*) FROM session', '0', 'the erasure');
    for (const directory of [nodes.a.dataDir, captured]) assert.notEqual(holders([directory], 'narwhal').length, 0);
    sql("UPDATE erased SET at = at - interval '7 days'");
    const a = await again('a');
    await comes('SELECT count(*) FROM erased_on', '2', 'the confirmation of the first relay');
    await eventually(() => holders([a.dataDir, captured], 'narwhal').length === 0, 'the first relay without the words');
    assert.equal((await a.request(path)).status, 404);
    assert.equal((await nodes.b.request(path)).status, 404);
    for (const table of ['session', 'attempt', 'turn', 'event', 'copy']) assert.equal(sql(`SELECT count(*) FROM ${table}`), '0', table);
    assert.equal(sql('SELECT count(*) FROM lost'), '0');
  });
});
