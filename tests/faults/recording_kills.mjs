// Kills the shipped program again and again while people speak into it, and compares the exported recording with
// the track's file. Prints the results; exits 1 if a sample of a file is in no export, or an export cannot be read.
//
//   node tests/faults/recording_kills.mjs [--kills 500] [--seed N] [--sessions 4]
//
// The samples of the user are never 0, so the samples of an export that are not 0 are those of its file, in order.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, makeKey, startRelay, startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { Scope } from './lane.mjs';
import { Random } from './traffic.mjs';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '500' }, seed: { type: 'string' }, sessions: { type: 'string', default: '4' } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const random = new Random(seed);
const longest_ms = 400;
const header_bytes = 44;

/** Speech that goes on from chunk to chunk: 2, 3, ... 30000, 1, 2, ... */
class Voice {
  #next = 1;
  chunk(ms) {
    const samples = Int16Array.from({ length: ms * 24 }, () => (this.#next = (this.#next % 30_000) + 1));
    return Buffer.from(samples.buffer).toString('base64');
  }
}

async function talk(scope, relay) {
  const client = await Client.connectWithId(scope, relay);
  const voice = new Voice();
  const speaking = async () => {
    for (let n = 1; !client.ended; n += 1) {
      client.send({ type: 'input_audio_buffer.append', audio: voice.chunk(random.number(5, 60)) });
      if (n % 10 === 0) client.send({ type: 'input_audio_buffer.commit' });
      if (n % 15 === 0) client.send({ type: 'response.create' });
      await sleep(random.number(0, 20));
    }
  };
  return { client, spoken: speaking().catch(() => {}) };
}

const withoutSilence = (bytes) => {
  const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length - (bytes.length % 2)));
  return samples.filter((sample) => sample !== 0);
};

const fileOf = (dataDir, id) => join(dataDir, 'recordings', id, '1.user.pcm');
const sizeOf = (file) => (existsSync(file) ? statSync(file).size : 0);

/**
 * Trouble of a session's recording, in words; undefined: none. Adds what was compared to `tally`. `killed`: the size
 * of the file after the kill.
 */
async function troubleOf(relay, id, killed, tally) {
  const file = fileOf(relay.dataDir, id);
  if (sizeOf(file) < killed) return `the file had ${killed} bytes, and the next process cut it to ${sizeOf(file)}`;
  const { close_reason: reason } = await relay.transcript(id);
  if (reason !== 'crash_recovered') return `ended with ${reason}`;
  const raw = existsSync(file) ? withoutSilence(readFileSync(file)) : new Int16Array();
  const answer = await relay.request(`/v1/sessions/${id}/recording?track=user&unheard=include`);
  if (raw.length === 0) return answer.status === 404 || answer.status === 200 ? undefined : `no audio, and ${answer.status}`;
  if (answer.status !== 200) return `${raw.length} samples in the file, and the export has the status ${answer.status}: ${answer.text}`;
  const exported = withoutSilence(answer.bytes.subarray(header_bytes));
  tally.samples += raw.length;
  if (exported.length !== raw.length) return `${raw.length} samples in the file, ${exported.length} in the export`;
  if (!exported.every((sample, at) => sample === raw[at])) return 'the export has other samples than the file';
  if (!raw.every((sample, at) => sample === ((at + 1) % 30_000) + 1)) return 'the file lacks samples in its middle';
  const both = await relay.request(`/v1/sessions/${id}/recording`);
  if (both.status !== 200) return `both speakers: ${both.status}`;
  return undefined;
}

const whole = new Scope();
const setup = { simulator: await startSimulator(whole), dataDir: temporaryDirectory(whole), key: makeKey(), set: ['recording.enabled=yes'] };
const tally = { kills: 0, sessions: 0, samples: 0, troubled: 0 };
const began = Date.now();
console.log(`seed        ${seed}`);
let relay = await startRelay(whole, setup);
while (tally.kills < Number(values.kills)) {
  const scope = new Scope();
  const people = await Promise.all(Array.from({ length: Number(values.sessions) }, () => talk(scope, relay)));
  await sleep(random.fraction() * longest_ms);
  await relay.program.stop('SIGKILL');
  tally.kills += 1;
  await Promise.all(people.map(({ spoken }) => spoken));
  await scope.close();
  const killed = people.map(({ client }) => sizeOf(fileOf(setup.dataDir, client.id)));
  relay = await startRelay(whole, setup);
  for (const [at, { client }] of people.entries()) {
    tally.sessions += 1;
    const trouble = await troubleOf(relay, client.id, killed[at], tally);
    if (!trouble) continue;
    tally.troubled += 1;
    console.log(`${client.id} after kill ${tally.kills}: ${trouble}`);
  }
}
console.log(`kills       ${tally.kills}
sessions    ${tally.sessions}
samples     ${tally.samples} compared
troubled    ${tally.troubled}
time        ${Math.round((Date.now() - began) / 1000)} s`);
await whole.close();
process.exit(tally.troubled > 0 ? 1 : 0);
