// Hours of everything at once. People of all kinds talk through the shipped program over TLS. Meanwhile it is
// killed, stopped, short of disk space and given bad input by its provider. Prints the events; exits 1 if text
// was lost, duplicated or invented, a session is stuck, or the program has grown.
//
//   node tests/faults/soak.mjs [--minutes 60] [--people 16] [--seed N] [--set section.key=value]...
//
// For three quarters of the time the relay is killed every few seconds. In the last quarter it is not killed,
// but all other faults continue. Its memory and open files at the end, after all people have left, are compared
// with those at its start. A relay that ends by itself is started again.
import { readFileSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  makeKey,
  refusal,
  startRelay,
  startSimulator,
  temporaryDirectory,
} from '../e2e/support/verbatim.mjs';
import { Scope, Tally, integrity } from './lane.mjs';
import { judge } from './oracle.mjs';
import { Shim } from './shim.mjs';
import { Random, Talker } from './traffic.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    people: { type: 'string', default: '16' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    set: { type: 'string', multiple: true, default: [] },
  },
});

const begin = Date.now();
const total_ms = Number(values.minutes) * 60_000;
const random = new Random(Number(values.seed));
const elapsed = () => Date.now() - begin;
const over = () => elapsed() >= total_ms;
const calm = () => elapsed() >= total_ms * 0.75;

/** A session that has not ended so long after its client has is stuck. */
const stuck_ms = 60_000;
const descriptors_more = 4;
const memory_more = 64 * 1024; // KiB

const scope = new Scope();
const tally = new Tally();
const shim = new Shim(scope);
const dataDir = temporaryDirectory(scope);
const key = makeKey();
const simulator = await startSimulator(scope, ['--seed', values.seed], '0.1');

const peaks = { rss: 0, pss: 0 };
const people = {}; // by kind
const faults = tally.kills; // by kind
const exits = {}; // the exits of relays
let relay;

// --- the relay, restarted whenever it has ended --------------------------------------------------

function keep() {
  let stopped = false;
  const round = { scope: new Scope() };
  const once = async () => {
    await round.scope.close();
    relay = await startRelay(round.scope, {
      simulator,
      dataDir,
      key,
      env: shim.env,
      set: [
        'log.level=warn',
        'session.idle_timeout=6s',
        'session.resume_window=2s',
        'session.ping_interval=2s',
        'session.slow_client_timeout=2s',
        'session.client_queue_bytes_max=64KiB',
        'upstream.created_timeout=3s',
        'server.handshake_timeout=2s',
        'journal.wal_checkpoint_bytes=256KiB',
        ...values.set,
      ],
    });
    relay.atStart = await descriptors(relay);
  };
  const running = (async () => {
    await once();
    for (;;) {
      const { code, signal } = await relay.program.over;
      tally.count(exits, signal ?? `exit ${code}`);
      if (stopped) return;
      shim.disarmAll();
      await once();
    }
  })();
  return {
    running,
    stop: async () => {
      stopped = true;
      relay.program.child.kill('SIGTERM');
      await running;
      await round.scope.close();
    },
  };
}

async function descriptors({ program }) {
  return readdirSync(`/proc/${program.pid}/fd`).length;
}

/** In KiB; nothing if it has just gone. */
function memory({ program }) {
  try {
    const rollup = readFileSync(`/proc/${program.pid}/smaps_rollup`, 'utf8');
    const [rss, pss] = ['Rss', 'Pss'].map((name) =>
      Number(new RegExp(`^${name}: *(\\d+)`, 'm').exec(rollup)[1]),
    );
    peaks.rss = Math.max(peaks.rss, rss);
    peaks.pss = Math.max(peaks.pss, pss);
    return rss;
  } catch {
    return undefined;
  }
}

// --- people -----------------------------------------------------------------------------------

const waiting = new Set(); // records whose session should have ended by now
const token = async () => ({ token: await relay.mint() });

async function talker(options, leave) {
  const until = Date.now() + random.number(500, 8000);
  const one = new Scope(); // removed together with the person's connection
  try {
    const person = await Talker.connect(one, relay, random, { ...(await token()), ...options });
    // A repeated event looks like the end of the next answer: the person would ask before it was answered.
    person.record.hasty = options.query?.model.includes('duplicate') ?? false;
    // Before a provider ends a connection it says so; the next connection counts from one.
    person.record.replaced = options.query?.model.includes('expire') ?? false;
    await person.talk({ enough: () => over() || Date.now() > until });
    if (!person.client.ended) await leave(person);
    waiting.add({ record: await person.seen(), since: Date.now() });
  } finally {
    await one.close();
  }
}

const leave = {
  end: ({ client }) => client.send({ type: 'verbatim.end' }),
  close: ({ client }) => client.socket.close(1000),
  vanish: ({ client }) => client.socket.terminate(),
  reset: ({ client }) => client.socket._socket.resetAndDestroy(),
};

const providers = [
  ...['drop_after=30', 'close_after=25:1011:overloaded', 'close_after=40:1000', 'hang_after=35'],
  ...['silent', 'duplicate=0.2', 'slow=3', 'error_first=invalid_api_key', 'expire_after=1500'],
  ...[
    'fail_transcription',
    'empty_transcription',
    'no_transcription_deltas',
    'late_transcription=500',
    'missing_transcription=0.4',
    'odd_ids',
    'null_previous=0.5',
    'no_item_ids=0.4',
    'binary=0.3',
    'fail_response=0.3',
  ],
];

const kinds = {
  talker: () => talker({}, random.pick(Object.values(leave))),
  provider: () => {
    const fault = random.pick(providers);
    tally.count(faults, `provider ${/^\w+/.exec(fault)[0]}`);
    return talker({ query: { model: `gpt-realtime+${fault}` } }, leave.close);
  },
  slow: () =>
    talker({}, async (person) => {
      await person.sleep(random.number(500, 4000));
      person.client.socket.close(1000);
    }),
  refused: async () => {
    const { status } = await refusal(relay, {
      token: random.pick(['ek_wrong', 'vk_wrong', undefined]),
    });
    if (status !== 401)
      tally.breach('P10', 'invented', `a wrong token was answered with ${status}`);
  },
  stranger: async () => {
    // No TLS, or only its beginning, and then nothing.
    const socket = connect({ port: new URL(relay.url).port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.write(random.pick(['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01', '']));
    await sleep(random.number(10, 3000));
    socket.destroy();
  },
  reader: async () => {
    const paths = [
      '/v1/sessions',
      '/metrics',
      '/healthz',
      '/readyz',
      '/v1/sessions/sess_none/transcript',
    ];
    await relay.request(random.pick(paths));
  },
};

async function person() {
  while (!over()) {
    const kind = random.weighted({
      talker: 10,
      provider: 6,
      slow: 2,
      refused: 1,
      stranger: 2,
      reader: 2,
    });
    tally.count(people, kind);
    // A relay that stops refuses people; what they received before is compared later.
    await kinds[kind]().catch(() => sleep(50));
  }
}

/** Compares what people saw with the transcripts, as soon as their sessions have ended. */
async function judgeAll(patient) {
  while (!patient() || waiting.size > 0) {
    for (const entry of waiting) {
      const { record, since } = entry;
      const kept =
        record.id &&
        (await relay.request(`/v1/sessions/${record.id}/transcript`).catch(() => undefined));
      const isFinal = kept?.status === 200 && kept.json.status === 'final';
      const late = Date.now() - since > stuck_ms;
      if (record.id && !isFinal && !late) continue;
      waiting.delete(entry);
      tally.characters += record.characters;
      if (!record.id) continue; // it received nothing
      ++tally.sessions;
      if (kept?.status === 200) {
        tally.turns += kept.json.turns.length;
        tally.breaches.push(...judge(record, kept.json));
      } else {
        tally.breach('O1', 'lost', `${record.id}: no transcript: ${kept?.status} ${kept?.text}`);
      }
    }
    await sleep(500);
  }
}

// --- faults ------------------------------------------------------------------------------------

async function window(rule, ms) {
  const armed = shim.arm(rule);
  await Promise.race([sleep(ms), relay.program.over]);
  armed.disarm();
}

const log = '*.db-wal';
const survivable = {
  'full disk, short': () =>
    window({ calls: 'write', file: log, action: 'fail', error: 'ENOSPC' }, random.number(50, 800)),
  'slow sync': () =>
    window(
      { calls: 'fdatasync', file: log, action: 'delay', ms: random.number(5, 120) },
      random.number(500, 3000),
    ),
  'slow write': () =>
    window(
      { calls: 'write', file: log, action: 'delay', ms: random.number(1, 10) },
      random.number(200, 1000),
    ),
  'short write': () =>
    window({ calls: 'write', file: log, action: 'shorten' }, random.number(50, 500)),
  'clock jump': () => shim.moveClock(random.number(-3_600_000, 3_600_000)),
  SIGHUP: () => relay.program.child.kill('SIGHUP'),
};
const deadly = {
  SIGKILL: () => relay.program.stop('SIGKILL'),
  'SIGKILL at a write': () =>
    window(
      {
        calls: 'write',
        file: random.pick([log, '*.db']),
        action: random.pick(['kill_before', 'kill_after', 'tear']),
        from: random.number(1, 50),
      },
      2000,
    ),
  SIGTERM: () => relay.program.stop('SIGTERM'),
  'full disk, long': () =>
    window(
      { calls: 'write', file: log, action: 'fail', error: 'ENOSPC' },
      random.number(2500, 5000),
    ),
  'failed sync': () =>
    window(
      {
        calls: 'fdatasync',
        file: random.pick([log, '*.db']),
        action: random.pick(['fail', 'lose']),
        from: random.number(1, 20),
      },
      2000,
    ),
  'failed write': () =>
    window({ calls: 'write', file: log, action: 'fail', from: random.number(1, 50) }, 2000),
};

async function trouble() {
  while (!over()) {
    await sleep(random.number(200, 4000));
    const possible = calm() || random.chance(0.4) ? survivable : deadly;
    const name = random.pick(Object.keys(possible));
    await possible[name]();
    tally.count(faults, name);
  }
}

// --- the run -------------------------------------------------------------------------------------

console.error(`seed ${values.seed}`);
const keeper = keep();
while (!relay) await sleep(10);
let warm; // the memory of the last relay after a third of its life
const watching = setInterval(() => {
  const now = memory(relay);
  if (elapsed() < total_ms * 0.84) warm = now;
}, 1000);
let printed = 0; // violations, printed at once: a long run that is interrupted has still reported them
const telling = setInterval(() => {
  const minutes = Math.round(elapsed() / 60_000);
  console.error(`${minutes} min: ${tally.sessions} sessions, ${tally.breaches.length} breaches`);
  for (const { rule, kind, what } of tally.breaches.slice(printed)) console.error(`  ${rule} ${kind}: ${what}`);
  printed = tally.breaches.length;
}, 60_000);

let gone = false;
const judging = judgeAll(() => gone);
await Promise.race([
  keeper.running, // rejects if a relay does not start again
  Promise.all([trouble(), ...Array.from({ length: Number(values.people) }, person)]),
]);
gone = true;
shim.disarmAll();
await judging;

// All people have left: connections that are still open are not needed.
const from = relay.atStart;
let to = await descriptors(relay);
for (let looks = 0; looks < 200 && to > from + descriptors_more; ++looks) {
  await sleep(100);
  to = await descriptors(relay);
}
const cold = memory(relay);
const leaks = [];
if (to > from + descriptors_more) leaks.push(`${to} file descriptors, ${from} at the start`);
if (warm && cold > warm + memory_more) leaks.push(`${cold} KiB of memory, ${warm} KiB before`);
for (const status of ['created', 'live', 'detached']) {
  const { json } = await relay.request(`/v1/sessions?status=${status}`);
  for (const { id } of json.sessions) tally.breach('O4', 'stuck', `${id} is ${status}`);
}
clearInterval(watching);
clearInterval(telling);
await keeper.stop();
const sound = integrity(dataDir);
if (sound !== 'ok') tally.breach('O6', 'lost', `integrity_check: ${sound}`);
await scope.close();

const list = (counts) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
const mib = (kib) => `${Math.round(kib / 1024)} MiB`;
console.log(
  [
    `seed        ${values.seed}`,
    `time        ${Math.round(elapsed() / 1000)} s`,
    `people      ${list(people)}`,
    `faults      ${list(faults)}`,
    `relays      ${list(exits)}`,
    `sessions    ${tally.sessions}`,
    `turns       ${tally.turns}`,
    `characters  ${tally.characters} seen`,
    ...['lost', 'duplicated', 'stuck', 'invented'].map(
      (kind) => `${kind.padEnd(11)} ${tally.of(kind)}`,
    ),
    `memory      peak RSS ${mib(peaks.rss)}, PSS ${mib(peaks.pss)}; RSS at the end ${mib(cold)}`,
    `descriptors ${from} at the start, ${to} at the end`,
    `leaks       ${leaks.join('; ') || 'none'}`,
    ...tally.breaches.slice(0, 20).map(({ rule, kind, what }) => `  ${rule} ${kind}: ${what}`),
  ].join('\n'),
);
process.exit(tally.breaches.length + leaks.length > 0 ? 1 : 0);
