// Kills the shipped program under live conversations of public SDKs; a supervisor starts it again. All of them
// must go on in the same attempt, with every word that a client received. Prints the silence of the clients; exits 1 if a conversation did not go on or text was lost.
//
//   node tests/faults/crash_resume.mjs [--conversations 100] [--rounds 5] [--seed N] [--set section.key=value]...
//
// Half of the people use `openai` with its own reconnect, half `@openai/agents-realtime` with an application
// that connects again.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { startSimulator } from '../e2e/support/verbatim.mjs';
import { Supervisor } from './crash_resume/supervisor.mjs';
import { Scope } from './lane.mjs';
import { Random } from './traffic.mjs';

const script = fileURLToPath(new URL('../e2e/support/people.mjs', import.meta.url));
const major = Number(process.versions.node.split('.')[0]);
const nodeOptions = major >= 20 && major < 22 ? ['--experimental-websocket'] : [];

export const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/** The people's process: a command each line in, a JSON line out. */
export class People {
  constructor(scope, relay) {
    this.child = spawn(process.execPath, [...nodeOptions, script, relay.url], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: relay.certificate },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    scope.after(() => this.child.kill('SIGKILL'));
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }
  send(line) {
    this.child.stdin.write(`${line}\n`);
  }
  async ask(line) {
    this.send(line);
    const { value, done } = await this.lines.next();
    const answer = done ? { error: 'the people have left' } : JSON.parse(value);
    if (answer.error) throw new Error(JSON.stringify(answer));
    return answer;
  }
}

/** Compares what a person received with the transcript of the only attempt. */
export function judge(person, session, transcript, breach) {
  if (session.attempts.length !== 1) breach(`${person.name}: ${session.attempts.length} attempts`);
  const turns = new Map(transcript.turns.map((turn) => [turn.item_id, turn]));
  for (const [item, text] of Object.entries(person.texts)) {
    if (!turns.get(item)?.text.startsWith(text))
      breach(`${person.name}: received "${text}", kept "${turns.get(item)?.text}"`);
  }
  for (const { item_id, status } of transcript.turns)
    if (status === 'in_progress') breach(`${person.name}: ${item_id} is in progress`);
}

export async function crashResume({ conversations, rounds, seed, set = [], onProgress = () => {} }) {
  const random = new Random(seed);
  const scope = new Scope();
  const result = { crashes: 0, characters: 0, turns: 0, silences: [], starts: [], breaches: [] };
  const breach = (what) => result.breaches.push(what);
  try {
    const simulator = await startSimulator(scope, ['--seed', String(seed)], '0.02');
    const limits = ['limits.connects_per_minute=0', 'limits.sessions_per_user=0'];
    const supervisor = await Supervisor.start(scope, { simulator, set: [...limits, 'log.level=warn', ...set] });
    const people = new People(scope, supervisor.relay);
    for (let n = 0; n < conversations; ++n) {
      const token = await supervisor.relay.mint({ user: `user${n}`, session_id: `sess_${n}` }, { type: 'realtime', instructions: `You are number ${n}.` });
      people.send(`${n % 2 ? 'agents' : 'openai'} ${token}`);
    }
    await people.ask('begin');
    for (let round = 1; round <= rounds; ++round) {
      await sleep(random.fraction() * 1000);
      const killed = performance.now();
      await supervisor.crash();
      result.starts.push(performance.now() - killed);
      ++result.crashes;
      await people.ask(`round ${round}`);
      onProgress(round);
    }
    const seen = (await people.ask('end')).people;
    for (const [n, person] of seen.entries()) {
      const { json: session } = await supervisor.relay.request(`/v1/sessions/sess_${n}`);
      const transcript = await supervisor.relay.transcript(`sess_${n}`);
      judge(person, session, transcript, breach);
      if (person.losses !== rounds) breach(`${person.name} lost its connection ${person.losses} times`);
      result.silences.push(...person.silences);
      result.turns += transcript.turns.length;
      for (const text of Object.values(person.texts)) result.characters += text.length;
    }
    result.silences.sort((one, other) => one - other);
  } finally {
    await scope.close();
  }
  return result;
}

export function report(result, { conversations, seed }) {
  const ms = (value) => `${Math.round(value)} ms`;
  const { silences, starts, breaches } = result;
  return [
    `seed           ${seed}`,
    `crashes        ${result.crashes}, under ${conversations} live conversations`,
    `turns          ${result.turns} kept, ${result.characters} characters received`,
    `restart        ${starts.map(ms).join(', ')} (kill to ready)`,
    `silence        p50 ${ms(quantile(silences, 0.5))}, p99 ${ms(quantile(silences, 0.99))}, at most ${ms(silences.at(-1))} (${silences.length} losses)`,
    `breaches       ${breaches.length}`,
    ...breaches.slice(0, 20).map((what) => `  ${what}`),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      conversations: { type: 'string', default: '100' },
      rounds: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      set: { type: 'string', multiple: true },
    },
  });
  const asked = { conversations: Number(values.conversations), rounds: Number(values.rounds), seed: Number(values.seed), set: values.set };
  const result = await crashResume({ ...asked, onProgress: (round) => console.error(`${round} crashes`) });
  console.log(report(result, asked));
  process.exit(result.breaches.length > 0 ? 1 : 0);
}
