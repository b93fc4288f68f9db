// Kills relays of a fleet under live conversations of public SDKs, one after the other. All of them must go on in
// the same attempt at the relay that is left, with every word that a client received. Prints the silence of the
// clients; exits 1 if a conversation did not go on or text was lost.
//
//   node tests/faults/fleet_deaths.mjs [--deaths 40] [--conversations 8] [--seed N] [--set section.key=value]...
//
// A load balancer sends clients to a relay that takes connections. Half of the people use `openai` with its own
// reconnect, half `@openai/agents-realtime` with an application that connects again.
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { Postgres, missing } from '../e2e/support/postgres.mjs';
import { eventually } from '../e2e/support/process.mjs';
import { startSimulator } from '../e2e/support/verbatim.mjs';
import { People, judge, quantile } from './crash_resume.mjs';
import { Fleet } from './fleet/nodes.mjs';
import { Scope } from './lane.mjs';
import { Random } from './traffic.mjs';

/** Sends each connection to the first relay that takes it. */
async function balancer(scope, fleet) {
  const server = net.createServer({ noDelay: true }, (near) => {
    const dial = ([name, ...others]) => {
      if (name === undefined) return near.resetAndDestroy();
      const far = net.connect({ host: '127.0.0.1', port: Number(new URL(fleet.nodes[name].url).port), noDelay: true });
      far.once('error', () => dial(others));
      far.once('connect', () => {
        far.removeAllListeners('error');
        const over = () => {
          near.destroy();
          far.destroy();
        };
        for (const end of [near, far]) end.on('error', () => {}).on('close', over);
        near.pipe(far).pipe(near);
      });
    };
    near.on('error', () => {});
    dial(Object.keys(fleet.nodes));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.after(() => server.close());
  return `https://127.0.0.1:${server.address().port}`;
}

export async function fleetDeaths({ deaths, conversations, seed, set = [], onProgress = () => {} }) {
  const random = new Random(seed);
  const scope = new Scope();
  const result = { deaths: 0, characters: 0, turns: 0, silences: [], breaches: [] };
  const breach = (what) => result.breaches.push(what);
  try {
    const simulator = await startSimulator(scope, ['--seed', String(seed)], '0.02');
    const postgres = await Postgres.start(scope);
    const fleet = await Fleet.start(scope, {
      simulator,
      postgres,
      names: ['a', 'b'],
      set: ['limits.sessions_per_user=0', 'upstream.reconnect_attempts_max=5', ...set],
    });
    const { nodes } = fleet;
    const url = await balancer(scope, fleet);
    const people = new People(scope, { url, certificate: nodes.a.certificate });
    for (let n = 0; n < conversations; ++n) {
      const token = await nodes.a.mint({ user: `user${n}`, session_id: `sess_${n}` }, { type: 'realtime', instructions: `You are number ${n}.` });
      people.send(`${n % 2 ? 'agents' : 'openai'} ${token}`);
    }
    await people.ask('begin');
    for (let round = 1; round <= deaths; ++round) {
      const name = round % 2 ? 'a' : 'b';
      await fleet.mayFence();
      await sleep(random.fraction() * 500);
      await nodes[name].program.stop('SIGKILL');
      ++result.deaths;
      await people.ask(`round ${round}`);
      await fleet.again(name);
      onProgress(round);
    }
    const { people: all } = await people.ask('end');
    for (const person of all) {
      result.silences.push(...person.silences);
      for (const text of Object.values(person.texts)) result.characters += text.length;
    }
    for (const [n, person] of all.entries()) {
      const id = `sess_${n}`;
      await nodes.a.transcript(id); // it waits for the end
      // The receipt says so until the relay that was killed last has left its tail.
      const session = await eventually(async () => {
        const { json } = await nodes.a.request(`/v1/sessions/${id}`);
        return !json.attempts.some(({ receipt }) => receipt?.tail_pending) && json;
      }, 'the last words of the relay that was killed last');
      const transcript = await nodes.a.transcript(id);
      result.turns += transcript.turns.length;
      judge(person, session, transcript, breach);
    }
  } catch (error) {
    breach(error.stack);
  } finally {
    await scope.close();
  }
  return result;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      deaths: { type: 'string', default: '40' },
      conversations: { type: 'string', default: '8' },
      seed: { type: 'string', default: String(Date.now() % 100_000) },
      set: { type: 'string', multiple: true, default: [] },
    },
  });
  if (missing) throw new Error(missing);
  const seed = Number(values.seed);
  const onProgress = (round) => process.stderr.write(`death ${round}\n`);
  const result = await fleetDeaths({ deaths: Number(values.deaths), conversations: Number(values.conversations), seed, set: values.set, onProgress });
  const sorted = result.silences.sort((a, b) => a - b);
  const at = (share) => Math.round(quantile(sorted, share));
  console.log(`seed ${seed}: ${result.deaths} deaths, ${sorted.length} silences, ${result.turns} turns, ${result.characters} characters received`);
  if (sorted.length > 0) console.log(`silence: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${Math.round(sorted.at(-1))} ms`);
  for (const one of result.breaches) console.log(`BREACH ${one}`);
  process.exit(result.breaches.length === 0 ? 0 : 1);
}
