// The relays side by side, in one run: a table on standard output, everything as JSON, and plots.
//
//   bench/run [--quick] [--out docs/performance]
//
// The relay has one core for itself, the load (clients and provider) the other.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeCertificate } from './certificate.mjs';
import { measure } from './measure.mjs';
import { peers } from './peers.mjs';
import { bars, lines } from './plots.mjs';

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
  const warmUp = work.work === 'audio' ? 6 : 2; // until every answer has begun
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
// Both cores for both: what a message costs when the sessions are spread over two threads.
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

const of = (part, name, sessions) =>
  results.find((one) => one.part === part && one.relay === name && (!sessions || one.sessions === sessions));
const measured = all.filter((name) => name !== 'direct');
const title = (name) => peers[name].title;
const plot = (file, svg) => writeFileSync(join(values.out, file), svg);
const bar = (part, pick) => measured.map((name) => ({ label: title(name), value: pick(of(part, name)), ours: name === 'verbatim' }));
plot('cpu-audio.svg', bars('CPU a message: 300 sessions, 6.4 kB of audio both ways', 'µs', bar('audio', (one) => one.cpu_us_per_message)));
plot('cpu-flood.svg', bars('CPU a message at saturation: 8 clients send without pause', 'µs', bar('flood', (one) => one.cpu_us_per_message)));
plot('memory-idle.svg', bars('Memory of an idle session, TLS on both legs', 'KiB', bar('idle', (one) => one.kib_per_idle_session)));
const curve = (name, pick) => ({
  label: title(name),
  ours: name === 'verbatim',
  points: results
    .filter((one) => one.relay === name && ['conversation', 'growth'].includes(one.part))
    .map((one) => [one.sessions, pick(one)])
    .filter(([, value]) => value > 0),
});
plot('cpu-sessions.svg', lines('CPU a message, by sessions (conversation)', 'sessions', 'µs', ['nginx', 'verbatim', 'node'].map((name) => curve(name, (one) => one.cpu_us_per_message))));
plot('delay-audio.svg', lines('Delay of audio to the client, p99', 'sessions', 'ms', ['direct', 'nginx', 'verbatim', 'node'].map((name) => curve(name, (one) => one.delays.down_audio?.p99_ms)), { log: true }));
plot('delay-text.svg', lines('Delay of text to the client, p99', 'sessions', 'ms', ['direct', 'nginx', 'verbatim', 'node'].map((name) => curve(name, (one) => one.delays.down_text?.p99_ms)), { log: true }));

const table = [
  ['', ...measured.map(title)],
  ['CPU, audio message, 300 sessions (µs)', ...measured.map((name) => of('audio', name).cpu_us_per_message.toFixed(1))],
  ['CPU, message of a conversation, 300 sessions (µs)', ...measured.map((name) => of('conversation', name, 300).cpu_us_per_message.toFixed(1))],
  ['CPU, message of a conversation with 20 ms audio, 100 sessions (µs)', ...measured.map((name) => of('20 ms', name).cpu_us_per_message.toFixed(1))],
  ['CPU, message at saturation (µs)', ...measured.map((name) => of('flood', name).cpu_us_per_message.toFixed(1))],
  ['messages a second at saturation', ...measured.map((name) => of('flood', name).messages_per_second.toFixed(0))],
  ['audio up, 300 sessions, p50/p99/p99.9 (ms)', ...measured.map((name) => threes(of('conversation', name, 300).delays.up_audio))],
  ['audio down', ...measured.map((name) => threes(of('conversation', name, 300).delays.down_audio))],
  ['text down', ...measured.map((name) => threes(of('conversation', name, 300).delays.down_text))],
  ['memory, idle session (KiB)', ...measured.map((name) => of('idle', name).kib_per_idle_session.toFixed(0))],
  ['memory, speaking session (KiB)', ...measured.map((name) => of('conversation', name, 300).kib_per_session.toFixed(0))],
  ['connections a second', ...measured.map((name) => of('idle', name).connects_per_second.toFixed(0))],
];
function threes(of) {
  return of ? [of.p50_ms, of.p99_ms, of.p999_ms].map((ms) => ms.toFixed(2)).join(' / ') : '';
}
const markdown = table.map((row) => `| ${row.join(' | ')} |`);
markdown.splice(1, 0, `|${'---|'.repeat(table[0].length)}`);
writeFileSync(join(values.out, 'table.md'), `${markdown.join('\n')}\n`);
console.log(markdown.join('\n'));
process.exit(results.some((one) => one.failed > 0 && one.relay === 'verbatim') ? 1 : 0);
