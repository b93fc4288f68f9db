// Measures all relays in one run. Writes a table to standard output, all results as JSON, and plots.
//
//   bench/run [--quick] [--out docs/performance]
//
// The relay has one core, and the load (clients and provider) has the other.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeCertificate } from './certificate.mjs';
import { measure } from './measure.mjs';
import { peers } from './peers.mjs';
import { report } from './report.mjs';

const root = resolve(new URL('../..', import.meta.url).pathname);
const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, out: { type: 'string', default: join(root, 'docs', 'performance') } },
});
const seconds = values.quick ? 2 : 5;
const directory = join(root, 'build', 'bench', 'run');
rmSync(directory, { recursive: true, force: true });
const certificate = makeCertificate(directory);
const place = {
  ...certificate,
  binary: join(root, 'build', 'bench', 'verbatim'),
  loadBinary: join(root, 'build', 'bench', 'relay_load'),
};

const results = [];
let port = 20_000;
async function cell(part, name, work, more = {}) {
  port += 2;
  const warmUp = work.work === 'audio' ? 6 : 2; // seconds until every answer has begun
  const where = { ...place, directory: join(directory, `${name}-${port}`), port, providerPort: port + 1 };
  const result = await measure(name, where, { 'message-ms': 100, 'warm-up': warmUp, seconds, ...work }, more);
  rmSync(where.directory, { recursive: true, force: true });
  results.push({ part, ...result });
  const { delays } = result;
  const shown = (of) => (of ? [of.p50_ms, of.p99_ms, of.p999_ms].map((ms) => ms.toFixed(2)).join('/') : '');
  console.error(
    [
      part.padEnd(12), name.padEnd(12), String(work.sessions).padStart(5),
      `${result.cpu_us_per_message.toFixed(1)} us`.padStart(9),
      `${result.messages_per_second.toFixed(0)}/s`.padStart(9),
      `up ${shown(delays.up_audio)} down ${shown(delays.down_audio)} text ${shown(delays.down_text)}`,
      result.failed ? `FAILED ${result.failed}` : '',
    ].join('  '),
  );
  return result;
}

const all = Object.keys(peers);

for (const name of all.filter((one) => one !== 'direct'))
  await cell('idle', name, { sessions: 300, work: 'idle', seconds: 1 }, { settle: 3 });
for (const name of all) await cell('audio', name, { sessions: 300, work: 'audio' });
for (const sessions of [1, 100, 300]) {
  for (const name of all) await cell('conversation', name, { sessions, work: 'conversation' });
}
for (const name of all) await cell('20 ms', name, { sessions: 100, work: 'conversation', 'message-ms': 20 });
for (const name of all.filter((one) => one !== 'direct')) await cell('flood', name, { sessions: 8, work: 'flood' });
for (const name of ['direct', 'nginx', 'verbatim', 'node']) {
  for (const sessions of [600, 1000]) {
    const { delays } = await cell('growth', name, { sessions, work: 'conversation' });
    if ((delays.down_audio?.p99_ms ?? Infinity) > 50) break;
  }
}
// Both processes on both cores: the cost of a message with sessions on two threads.
for (const threads of [1, 2]) {
  const cores = { relayCores: '0,1', loadCores: '0,1', settings: [`server.threads=${threads}`] };
  await cell(`${threads} threads`, 'verbatim', { sessions: 300, work: 'conversation' }, cores);
}

mkdirSync(values.out, { recursive: true });
const version = (command, ...args) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim().split('\n')[0];
const machine = {
  processor: cpus()[0].model,
  cores: cpus().length,
  kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
  node: process.version,
  haproxy: version('haproxy', '-v'),
};
writeFileSync(join(values.out, 'results.json'), `${JSON.stringify({ date: new Date().toISOString(), machine, results }, null, 1)}\n`);

console.log(report(results, values.out));
process.exit(results.some((one) => one.failed > 0 && one.relay === 'verbatim') ? 1 : 0);
