// People talk while others do harm: nobody who does none loses a connection or a word, and the
// relay's memory stays under a bound. What it does to their delay: tests/hostile/delay.mjs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { attacks } from './attacks.mjs';
import { memoryBound, Scene, settings } from './scene.mjs';

const cleanup = [];
let scene;
before(async () => (scene = await Scene.start({ after: (what) => cleanup.push(what) }, { set: settings })));
after(async () => {
  for (const what of cleanup.reverse()) await what();
});

for (const [name, attack] of Object.entries(attacks))
  test(`twenty people go on talking beside ${name} [P5][P11]`, async () => {
    await attack(scene);
    await scene.everybodyTalks();
  });

test('behind all of it every word has come back, and memory stayed under its bound [P11]', async (t) => {
  await scene.everybodyStops();
  const peak = scene.peak();
  t.diagnostic(`peak of the relay: ${peak.toFixed(0)} MiB`);
  assert.ok(peak < memoryBound, `${peak} MiB`);
});
