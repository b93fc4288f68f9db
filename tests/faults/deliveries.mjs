// Webhooks while many people talk. Measures how long a message waits, how soon an end is sent, and how many calls a
// second a target gets. Checks that each session's order holds while the program is killed. Prints the figures; exits 1
// if a bound is missed, a message is lost, or one overtook another.
//
//   node tests/faults/deliveries.mjs [--talkers 40] [--seconds 60] [--answer-ms 50] [--lanes 16] [--burst 200]
//                                    [--kills 10] [--set section.key=value]...
//
// 1. talk   `--talkers` people ask something every two seconds, and after five questions begin a new session.
//           `turn.completed` is on, and the target answers after `--answer-ms`.
//           Bounds: no message waits 2 s, and each `session.ended` arrives within 1 s of the end.
// 2. burst  The target holds its answers until `--burst` sessions have ended, then answers again.
//           Bound: 0.7 calls for each lane in the time that one call took when they were sent one by one (56 ms).
// 3. kills  The program is killed among calls, `--kills` times, while people talk.
//           Bound: every message arrives, under one id, none after a later one of its session.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Receiver, targets } from '../e2e/support/receiver.mjs';
import { Client, makeKey, startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { Scope } from './lane.mjs';

const { values } = parseArgs({
  options: {
    talkers: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '60' },
    'answer-ms': { type: 'string', default: '50' },
    lanes: { type: 'string', default: '16' },
    burst: { type: 'string', default: '200' },
    kills: { type: 'string', default: '10' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const talkers = Number(values.talkers);
const answer_ms = Number(values['answer-ms']);
const lanes = Number(values.lanes);

const waited_ms_max = 2000;
const ended_ms_max = 1000;
/** Measured with one call at a time and a target of 50 ms. */
const calls_a_second_before = 17.8;
const share_of_lanes = 0.7;
const questions = 5;
const pause_ms = 2000;

const scope = new Scope();
const receiver = await Receiver.start(scope);
const key = makeKey();
const simulator = await startSimulator(scope);
const set = [
  'webhook.settle=0s',
  'webhook.retry_min=100ms',
  'webhook.retry_max=1s',
  `webhook.lanes=${lanes}`,
  targets(receiver.target(scope, ", events=['session.started','turn.completed','session.ended']")),
  ...values.set,
];
let relay = await startRelay(scope, { simulator, key, set });

const failures = [];
const bound = (holds, what) => {
  console.log(`${holds ? 'holds ' : 'MISSED'}  ${what}`);
  if (!holds) failures.push(what);
};
const most = (list, part = 1) => [...list].sort((a, b) => a - b)[Math.ceil(list.length * part) - 1] ?? 0;

// --- the target ----------------------------------------------------------------------------------

/** Of all calls: when, and how long after the change that the message reports. */
const log = [];
let held = Promise.resolve();
receiver.answer = async (call) => {
  const at = Date.now();
  log.push({ at, waited: at - Date.parse(call.timestamp), call });
  await held;
  await sleep(answer_ms);
  return 204;
};

async function waiting() {
  const text = (await relay.request('/metrics')).text;
  return Number(/verbatim_webhook_messages\{[^}]*state="waiting"\} (\d+)/.exec(text)?.[1]);
}
async function drained() {
  for (;;) {
    const { json } = await relay.request('/v1/webhooks/deliveries?state=waiting&limit=1');
    if (json.deliveries.length === 0) return;
    await sleep(200);
  }
}

// --- the people ----------------------------------------------------------------------------------

const sessions = new Set();

/** Each with a user of its own: a user's sessions are limited. */
async function begin() {
  const token = await relay.mint({ user: `person-${sessions.size}-${Math.random()}` });
  const client = await Client.connectWithId(scope, relay, { token });
  sessions.add(client.id);
  return client;
}

async function talk(go, pause) {
  while (go()) {
    try {
      const client = await begin();
      for (let asked = 0; asked < questions && go(); ++asked) {
        await client.ask('What time is it?');
        await sleep(pause * (0.5 + Math.random()));
      }
      await client.close();
    } catch {
      await sleep(100); // the relay was killed
    }
  }
}
const all = (count, what) => Promise.all(Array.from({ length: count }, what));

// --- 1. talk -------------------------------------------------------------------------------------

console.log(`talk   ${talkers} people for ${values.seconds} s, a target of ${answer_ms} ms, ${lanes} lanes`);
{
  const until = Date.now() + Number(values.seconds) * 1000;
  let deepest = 0;
  const looking = (async () => {
    for (; Date.now() < until; await sleep(1000)) deepest = Math.max(deepest, await waiting());
  })();
  await Promise.all([all(talkers, () => talk(() => Date.now() < until, pause_ms)), looking]);
  await drained();
  const waits = log.map(({ waited }) => waited);
  const ends = log.filter(({ call }) => call.type === 'session.ended').map(({ at, call }) => at - Date.parse(call.data.ended_at));
  console.log(`       ${log.length} calls, ${(log.length / Number(values.seconds)).toFixed(1)} a second, at most ${receiver.openMost} at once, at most ${deepest} messages waiting`);
  console.log(`       a message waited ${most(waits, 0.5)} ms (median), ${most(waits, 0.99)} ms (99 %), ${most(waits)} ms (most)`);
  console.log(`       an end was sent after ${most(ends, 0.5)} ms (median), ${most(ends, 0.99)} ms (99 %), ${most(ends)} ms (most), of ${ends.length}`);
  bound(most(waits) < waited_ms_max, `no message waits ${waited_ms_max} ms`);
  bound(ends.length > 0 && most(ends) <= ended_ms_max, `each end is sent within ${ended_ms_max} ms`);
  bound(receiver.openMost <= lanes, `at most ${lanes} calls at once`);
}

// --- 2. burst ------------------------------------------------------------------------------------

console.log(`burst  ${values.burst} sessions while the target holds its answers`);
{
  let release;
  held = new Promise((resolve) => (release = resolve));
  const before = log.length;
  let left = Number(values.burst);
  await all(talkers, async () => {
    while (left-- > 0) {
      await (await begin()).close();
    }
  });
  const begun = Date.now();
  const already = log.length;
  held = Promise.resolve();
  release();
  await drained();
  const calls = log.length - already;
  const seconds = (log.at(-1).at - begun) / 1000;
  const needed = share_of_lanes * lanes * calls_a_second_before * (50 / answer_ms);
  console.log(`       ${log.length - before} calls; after the release ${calls} in ${seconds.toFixed(2)} s: ${(calls / seconds).toFixed(1)} a second`);
  bound(calls / seconds >= needed, `at least ${needed.toFixed(0)} calls a second`);
}

// --- 3. kills ------------------------------------------------------------------------------------

console.log(`kills  ${values.kills}`);
{
  let talking = true;
  const people = all(talkers, () => talk(() => talking, 50));
  for (let killed = 0; killed < Number(values.kills); ++killed) {
    await sleep(500 + Math.random() * 2000);
    await relay.program.stop('SIGKILL');
    relay = await startRelay(scope, { simulator, key, set, dataDir: relay.dataDir });
  }
  talking = false;
  await people;
  await drained();
}

// --- order, of all phases ------------------------------------------------------------------------

let repeated = 0;
let overtaken = 0;
let lost = 0;
const perSession = new Map();
for (const { call } of log) {
  const own = perSession.get(call.data.session_id) ?? perSession.set(call.data.session_id, []).get(call.data.session_id);
  if (own.at(-1)?.id === call.id) ++repeated;
  else own.push(call);
}
for (const id of sessions) {
  const own = perSession.get(id) ?? [];
  const types = own.map(({ type }) => type);
  if (types[0] !== 'session.started' || types.at(-1) !== 'session.ended') ++lost;
  const known = new Set();
  for (const { id: message } of own) known.has(message) ? ++overtaken : known.add(message);
  const sequence = types.filter((type, i) => type === 'session.started' && i > 0);
  if (sequence.length > 0 || types.indexOf('session.ended') !== types.length - 1) ++overtaken;
  const completed = own.filter(({ type }) => type === 'turn.completed').map(({ data }) => data.item_id);
  const { json } = await relay.request(`/v1/sessions/${id}/transcript`);
  const said = json.turns.filter(({ status }) => status === 'completed').map(({ item_id }) => item_id);
  if (said.some((item) => !completed.includes(item))) ++lost;
}
console.log(`       ${sessions.size} sessions, ${log.length} calls, ${repeated} repetitions`);
bound(lost === 0, `every message arrives (${lost} sessions lack one)`);
bound(overtaken === 0, `each session is in order (${overtaken} are not)`);

await scope.close();
console.log(failures.length === 0 ? 'all bounds hold' : `${failures.length} missed`);
process.exit(failures.length === 0 ? 0 : 1);
