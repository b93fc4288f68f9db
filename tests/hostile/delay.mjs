// The effect of attacks on people who only talk. Measures the p99 time until a word is durable and back from
// the provider, in a quiet run and during each attack, on one relay.
//
//   node tests/hostile/delay.mjs [--seconds 10] [--only WORD]
//
// Each attack repeats for that long, after a quiet time of half as long; the quiet times together are the quiet
// run. Exits 1 if a p99 is more than twice that of the quiet run, or if a person was disconnected. Real
// attackers, people and providers have processors of their own. Here they share the relay's. So the attackers run
// at the lowest priority, and the people and the provider at a high one if the user may raise it.
// Run it on a machine that does nothing else.
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { Scope } from '../faults/lane.mjs';
import { attacks } from './attacks.mjs';
import { memoryBound, Scene, settings } from './scene.mjs';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '10' }, only: { type: 'string', default: '' } } });
const scope = new Scope();

function quantile(waits, part) {
  return waits.sort((a, b) => a - b)[Math.floor(waits.length * part)];
}
const p99 = (waits) => quantile(waits, 0.99);

/** Linux keeps a priority for each thread. Only root may raise one. */
function prioritise(pid, priority) {
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      setPriority(Number(thread), priority);
    } catch (error) {
      if (error.code !== 'ERR_SYSTEM_ERROR') throw error;
    }
  }
}

let failed = false;
try {
  const scene = await Scene.start(scope, { set: settings });
  prioritise(process.pid, constants.priority.PRIORITY_LOW); // the attackers' process: the others were forked before
  for (const pid of scene.otherMachines()) prioritise(pid, constants.priority.PRIORITY_HIGH);
  await pause(1000);
  const seconds = Number(values.seconds);
  const quiet = [];
  const measured = [];
  for (const [name, attack] of Object.entries(attacks)) {
    if (!name.includes(values.only)) continue;
    quiet.push(...(await scene.waitsWhile(() => pause(seconds * 500))));
    const until = performance.now() + seconds * 1000;
    const waits = await scene.waitsWhile(async () => {
      do await attack(scene);
      while (performance.now() < until);
      await pause(500);
    });
    measured.push({ name, waits });
    await scene.allTalk();
    await pause(1000); // until its effects are over
  }
  const bound = 2 * p99(quiet);
  const row = (name, waits) => `${name.padEnd(66)} ${String(waits.length).padStart(6)} words   median ${quantile(waits, 0.5).toFixed(1).padStart(5)}   p99 ${p99(waits).toFixed(1).padStart(6)} ms`;
  console.log(row('no attack', quiet));
  for (const { name, waits } of measured) {
    const late = p99(waits) > bound;
    failed ||= late;
    console.log(`${row(name, waits)}   ${(p99(waits) / p99(quiet)).toFixed(2).padStart(5)} x${late ? '   TOO LATE' : ''}`);
  }
  await scene.stopTalkers();
  const peak = scene.peak();
  console.log(`peak of the relay ${peak.toFixed(0)} MiB, bound ${memoryBound} MiB`);
  failed ||= peak > memoryBound;
} finally {
  await scope.close();
}
console.log(failed ? 'FAIL' : 'pass');
process.exit(failed ? 1 : 0);
