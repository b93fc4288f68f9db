// What attacks cost those who only talk: the p99 of the wait of a word, durable and back from the
// provider, in a quiet run and beside each attack, on one relay.
//
//   node tests/hostile/delay.mjs [--seconds 10] [--only WORD]
//
// Exits 1 if a p99 is more than twice that of the quiet run (and more than 5 ms longer, which is one
// slice of the scheduler), or if somebody was dropped. Real attackers have processors of their own;
// here they share them with the relay, so they run at the lowest priority: what is measured is what
// they make the relay do. Run it on a machine that does nothing else.
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { Scope } from '../faults/lane.mjs';
import { attacks } from './attacks.mjs';
import { memoryBound, Scene, settings } from './scene.mjs';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '10' }, only: { type: 'string', default: '' } } });
const scope = new Scope();
let failed = false;
try {
  const scene = await Scene.start(scope, { set: settings });
  // Linux keeps a priority for each thread, and these are the attackers': the rest has forked.
  for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), constants.priority.PRIORITY_LOW);
  await pause(1000);
  const quiet = await scene.p99While(() => pause(Number(values.seconds) * 1000));
  console.log(`${'nobody'.padEnd(66)} ${String(quiet.words).padStart(6)} words   p99 ${quiet.p99.toFixed(1).padStart(7)} ms`);
  for (const [name, attack] of Object.entries(attacks)) {
    if (!name.includes(values.only)) continue;
    const { words, p99 } = await scene.p99While(async () => {
      await attack(scene);
      await pause(500);
    });
    const late = p99 > 2 * quiet.p99 && p99 > quiet.p99 + 5;
    failed ||= late;
    console.log(`${name.padEnd(66)} ${String(words).padStart(6)} words   p99 ${p99.toFixed(1).padStart(7)} ms   ${(p99 / quiet.p99).toFixed(2).padStart(5)} x${late ? '   TOO LATE' : ''}`);
    await scene.everybodyTalks();
  }
  await scene.everybodyStops();
  const peak = scene.peak();
  console.log(`peak of the relay ${peak.toFixed(0)} MiB, bound ${memoryBound} MiB`);
  failed ||= peak > memoryBound;
} finally {
  await scope.close();
}
console.log(failed ? 'FAIL' : 'pass');
process.exit(failed ? 1 : 0);
