// The relays of a fleet, with a database of their own on a server.
import { before, test } from 'node:test';
import { wholeFile } from '../../e2e/support/file.mjs';
import { membership } from '../../e2e/support/fleet.mjs';
import { Line } from '../../e2e/support/line.mjs';
import { Postgres, missing } from '../../e2e/support/postgres.mjs';
import { eventually, freePort } from '../../e2e/support/process.mjs';
import { makeKey, startRelay, temporaryDirectory } from '../../e2e/support/verbatim.mjs';

let databases = 0;

/** A test that needs PostgreSQL. */
export const fleetTest = (name, body) => test(name, { skip: missing ?? false, timeout: 120_000 }, body);

/** The server of all tests of a file: `postgres` of the result, once they run. */
export function sharedServer() {
  const shared = {};
  const file = wholeFile();
  before(async () => {
    if (!missing) shared.postgres = await Postgres.start(file);
  });
  return shared;
}

export class Fleet {
  /**
   * `names`: of the relays; each is in `nodes` under its name. `postgres`: the server. `unreachable`: relays that the
   * others dial at an address where nothing answers. `env`: of each relay, by its name. `leaseSeconds`: fleet.lease_ttl.
   * `again(name)` starts the next process on a relay's data. All are in the database when they are returned.
   */
  static async start(t, { simulator, postgres, names, set = [], unreachable = [], env = {}, leaseSeconds = 2 }) {
    const database = `fleet${++databases}`;
    postgres.sql('postgres', `CREATE DATABASE ${database}`);
    const url = postgres.url(database);
    const sql = (text) => postgres.sql(database, text);
    const comes = (text, value, what) => eventually(async () => (await postgres.ask(database, text)) === value, what);
    const { certificate, settings } = membership(t);
    const key = makeKey();
    const nodes = {};
    const places = {};
    for (const name of names)
      places[name] = {
        port: await freePort(),
        dataDir: temporaryDirectory(t),
        line: await Line.open(t, `http://127.0.0.1:${postgres.port}`),
      };
    const again = async (name) => {
      const { port, dataDir, line } = places[name];
      const throughLine = new URL(url);
      throughLine.port = new URL(line.url).port;
      const relay = await startRelay(t, {
        simulator,
        key,
        dataDir,
        env: env[name],
        set: [
          ...settings({ port, database: throughLine.href, peerPort: unreachable.includes(name) ? await freePort() : port }),
          'session.resume_window=30s',
          `fleet.lease_ttl=${leaseSeconds}s`,
          'fleet.retry_max=200ms',
          'limits.connects_per_minute=0',
          ...set,
        ],
      });
      relay.certificate = certificate;
      relay.toDatabase = line;
      await relay.program.logged('fleet.connected');
      nodes[name] = relay;
      return relay;
    };
    for (const name of names) await again(name);
    /** All of them have held their leases for long enough to fence others. */
    const mayFence = () =>
      postgres.ask(database, `SELECT pg_sleep_until(max(started_at) + interval '${2 * leaseSeconds + 0.5} s') FROM node WHERE alive`);
    return { nodes, url, sql, comes, again, mayFence };
  }
}
