// Two relays of a fleet in the place of one, for tests of the API: with VERBATIM_FLEET_OF_TWO=1 every startRelay()
// that can be a fleet starts two. A call that makes a session or a token goes to the first, every other one to the second.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { wholeFile } from './file.mjs';
import { membership } from './fleet.mjs';
import { Postgres } from './postgres.mjs';
import { freePort, temporaryDirectory } from './process.mjs';

export const asPair = process.env.VERBATIM_FLEET_OF_TWO === '1';

/** A relay without TLS, with recordings or with keys in a file of its own cannot be a part of a fleet here. */
export const canBePair = ({ key, config, set = [], through }) =>
  key !== null && !config && !through && !set.some((one) => /^(tls|fleet|auth|recording|server\.listen)\b/.test(one));

const file = asPair ? wholeFile() : undefined;
let server;
let databases = 0;
if (asPair) after(() => assert.ok(databases > 0, 'no test of this file ran at a pair'));

/** A database of its own in the server of this test file. */
async function database(t) {
  server ??= Postgres.start(file ?? t);
  const postgres = await server;
  const name = `pair_${++databases}`;
  postgres.sql('postgres', `CREATE DATABASE ${name}`);
  return postgres.url(name);
}

const makes = (path, { method = 'GET' } = {}) =>
  method === 'POST' && ['/v1/sessions', '/v1/realtime/client_secrets', '/api/internal/sessions'].includes(path);
const lists = (path, { method = 'GET' } = {}) => method === 'GET' && /^\/v1\/sessions(\?|$)|^\/api\/external\//.test(path);

/** The second relay, whose `first` is the other. `startOne`: starts one relay. */
export async function startPair(t, options, startOne) {
  const url = await database(t);
  const { certificate, settings } = membership(t);
  const start = async (more) => {
    const port = await freePort();
    return startOne(t, {
      ...options,
      ...more,
      set: [...(options.set ?? []), ...settings({ port, database: url }), 'fleet.peer_timeout=10s'],
    });
  };
  const first = await start({ dataDir: temporaryDirectory(t) });
  const second = await start({ key: first.keyPair });
  for (const relay of [first, second]) {
    await relay.program.logged('fleet.connected');
    Object.assign(relay, { certificate, authority: readFileSync(certificate) });
  }
  const own = second.request.bind(second);
  second.first = first;
  second.request = async (path, how) => {
    if (makes(path, how)) return first.request(path, how);
    // A list waits for what its own relay has not shipped: so the first has shipped all of its sessions.
    if (lists(path, how)) await first.request('/v1/sessions?limit=1');
    return own(path, how);
  };
  return second;
}
