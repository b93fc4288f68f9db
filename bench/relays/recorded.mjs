// The price of recording: one relay without and one with recording.enabled=yes, in turns, under the same load.
//
//   node bench/relays/recorded.mjs [--pairs 5] [--sessions 300] [--binary build/bench/verbatim]
//
// Build the programs first: bench/run. The relay has one core, and the load has the other. Prints, for each
// pair, the CPU time of a message, its ratio, and the memory of a session; then the medians.
import { rmSync, statSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeCertificate } from './certificate.mjs';
import { measure } from './measure.mjs';

const root = resolve(new URL('../..', import.meta.url).pathname);
const built = join(root, 'build', 'bench');
const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    sessions: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '10' },
    binary: { type: 'string', default: join(built, 'verbatim') },
    load: { type: 'string', default: join(built, 'relay_load') },
  },
});
const directory = join(built, 'recorded');
rmSync(directory, { recursive: true, force: true });
const certificate = makeCertificate(directory);

const bytesBelow = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size, 0);

let port = 21_000;
async function once(recorded) {
  port += 2;
  const place = {
    ...certificate,
    binary: values.binary,
    loadBinary: values.load,
    directory: join(directory, String(port)),
    port,
    providerPort: port + 1,
  };
  const settings = recorded ? ['recording.enabled=yes'] : [];
  const work = { sessions: Number(values.sessions), work: 'conversation', 'message-ms': 100, 'warm-up': 4, seconds: Number(values.seconds) };
  const result = await measure('verbatim', place, work, { settings });
  if (result.failed) throw new Error(`${result.failed} sessions failed`);
  // A comparison with a relay that records nothing would mean nothing.
  const audio = recorded ? bytesBelow(join(place.directory, 'data', 'recordings')) : 0;
  if (recorded && audio === 0) throw new Error('nothing was recorded');
  rmSync(place.directory, { recursive: true, force: true });
  return { us: result.cpu_us_per_message, kib: result.kib_per_session, p99: result.delays.up_audio.p99_ms, audio };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const ratios = [];
const more = [];
for (let pair = 0; pair < Number(values.pairs); ++pair) {
  // In the other order each time, so that a machine that becomes slower does not favour one.
  const first = await once(pair % 2 === 1);
  const second = await once(pair % 2 === 0);
  const [plain, recorded] = pair % 2 === 1 ? [second, first] : [first, second];
  ratios.push(recorded.us / plain.us);
  more.push(recorded.kib - plain.kib);
  for (const [name, one] of Object.entries({ plain, recorded })) {
    console.log([
      name.padEnd(8),
      `${one.us.toFixed(1)} us a message`,
      `${one.kib.toFixed(1)} KiB a session`,
      `audio to the provider p99 ${one.p99.toFixed(2)} ms`,
      `${(one.audio / 2 ** 20).toFixed(0)} MiB recorded`,
    ].join('  '));
  }
  console.log(`ratio    ${ratios.at(-1).toFixed(3)}`);
}
console.log(`median: CPU ${median(ratios).toFixed(3)}x, memory ${median(more).toFixed(1)} KiB more a session`);
