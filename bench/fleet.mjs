#!/usr/bin/env node
// Measures the shipping to a fleet's database, with a PostgreSQL 15 of its own and a standby.
//
//   cmake --preset release -DVERBATIM_BENCH=ON && cmake --build --preset release --target fleet_bench
//   node bench/fleet.mjs [--rates 1000,10000] [--seconds 10]
//
// Prints a line for each measurement, with the CPU time of the database's processes for each event,
// and the load of the machine. Run it when `uptime` is quiet.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Postgres } from '../tests/e2e/support/postgres.mjs';

const { values } = parseArgs({
  options: { rates: { type: 'string', default: '1000,10000' }, seconds: { type: 'string', default: '10' }, program: { type: 'string' } },
});
const program = values.program ?? fileURLToPath(new URL('../build/release/fleet_bench', import.meta.url));

const endings = [];
const scope = { after: (end) => endings.push(end) };

/** CPU seconds of all PostgreSQL processes of this machine. */
function databaseCpu() {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      if (!stat.includes('(postgres)')) continue;
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      ticks += fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    } catch {
      // it has ended
    }
  }
  return ticks / 100;
}

function measure(server, title, rate, ...options) {
  const folder = mkdtempSync(join(tmpdir(), 'verbatim-bench-'));
  const began = databaseCpu();
  try {
    const printed = execFileSync(program, ['--url', server.url('words'), '--dir', folder, '--rate', rate, '--seconds', values.seconds, ...options], { encoding: 'utf8' });
    const each = ((databaseCpu() - began) * 1e6) / (Number(rate) * Number(values.seconds));
    console.log(`== ${title}, ${rate}/s, load ${loadavg()[0].toFixed(1)}\n${printed}database     ${each.toFixed(1)} us of CPU an event`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  const server = await Postgres.start(scope, { fsync: 'on' });
  server.sql('postgres', 'CREATE DATABASE words');
  for (const rate of values.rates.split(',')) measure(server, 'behind', rate);
  measure(server, 'backlog of these events', values.rates.split(',').at(-1), '--backlog');
  for (const rate of values.rates.split(',')) measure(server, 'before, primary only', rate, '--ship', 'before', '--no-replica');
  await server.standby(scope, 'b');
  server.sql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'b'");
  server.sql('postgres', 'SELECT pg_reload_conf()');
  for (const rate of values.rates.split(',')) measure(server, 'before, with a synchronous standby', rate, '--ship', 'before');
} finally {
  for (const end of endings.reverse()) end();
}
