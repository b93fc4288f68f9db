// What one session to which very much was posted costs those who post to, read and watch others: a
// back end posts copies of thousands of unlike turns to one session, while another session gets a
// short copy every 50 ms, is read, and is watched by an event stream; and the same without the flood.
//
//   node bench/beside_a_flood.mjs [--program build/release/verbatim] [--seconds 10] [--copies 10] [--turns 10000] [--shape unlike|alike|numbered]
//
// Exits 1 if the p99 of the short posts beside the flood is above 250 ms.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    program: { type: 'string', default: 'build/release/verbatim' },
    seconds: { type: 'string', default: '10' },
    copies: { type: 'string', default: '10' },
    turns: { type: 'string', default: '10000' },
    shape: { type: 'string', default: 'unlike' },
  },
});
const [seconds, copies, turns] = [options.seconds, options.copies, options.turns].map(Number);

const folder = mkdtempSync(join(tmpdir(), 'verbatim-flood-'));
const ready = join(folder, 'ready.json');
const settings = ['server.listen=127.0.0.1:0', 'tls.enabled=false', `server.data_dir=${folder}/data`, 'posts.per_minute=0', 'log.level=error'];
const relay = spawn(options.program, ['serve', '--ready-file', ready, ...settings.flatMap((one) => ['--set', one])], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
while (!existsSync(ready)) await pause(20);
const { url } = JSON.parse(readFileSync(ready, 'utf8'));

async function request(path, method = 'GET', body = undefined) {
  const begun = performance.now();
  const answer = await fetch(url + path, { method, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, text, ms: performance.now() - begun };
}
const created = async (user) => JSON.parse((await request('/v1/sessions', 'POST', { user })).text).id;
const post = async (id, body) => {
  const answer = await request(`/v1/sessions/${id}/transcript`, 'POST', body);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.ms;
};

const word = () => Math.random().toString(36).slice(2, 10);
const text = (n) => `${options.shape === 'alike' ? 'theverysamebeginning ' : ''}${word()} ${word()} ${word()} ${n}`;
const large = (n) => ({
  writer: `writer_${n}`,
  turns: Array.from({ length: turns }, (_, i) => ({
    role: 'user',
    text: text(i),
    ...(options.shape === 'numbered' && { ordinal: 1 }),
  })),
});

const at = (values, share) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
const line = (name, what, values) =>
  console.log(
    `${name.padEnd(10)} ${what.padEnd(6)} ${String(values.length).padStart(5)}   median ${at(values, 0.5).toFixed(1).padStart(8)} ms   p99 ${at(values, 0.99).toFixed(1).padStart(8)} ms   most ${Math.max(...values).toFixed(1).padStart(8)} ms`,
  );

/** What a short post to a session of its own, its reading and its showing to a watcher take. */
async function bystander(name, end) {
  const seen = { post: [], read: [], shown: [] };
  const id = await created('ann');
  const stop = new AbortController();
  const stream = await fetch(`${url}/v1/sessions/${id}/events`, { signal: stop.signal });
  const waiting = new Map();
  const watching = (async () => {
    let pending = '';
    for await (const piece of stream.body.pipeThrough(new TextDecoderStream())) {
      pending += piece;
      for (const [said, begun] of waiting) {
        if (!pending.includes(said)) continue;
        seen.shown.push(performance.now() - begun);
        waiting.delete(said);
      }
      pending = pending.slice(-1000);
    }
  })().catch(() => {});
  const said = [];
  for (let n = 0; performance.now() < end(); ++n) {
    const next = performance.now() + 50;
    if (said.length < 100) {
      said.push({ role: n % 2 ? 'assistant' : 'user', text: text(n), ordinal: n + 1 });
      waiting.set(said.at(-1).text, performance.now());
    }
    seen.post.push(await post(id, { writer: 'agent', turns: [said.at(-1)] }));
    seen.read.push((await request(`/v1/sessions/${id}/transcript`)).ms);
    await pause(Math.max(0, next - performance.now()));
  }
  const late = performance.now() + 5000;
  while (waiting.size && performance.now() < late) await pause(20);
  stop.abort();
  await watching;
  for (const begun of waiting.values()) seen.shown.push(performance.now() - begun);
  for (const [what, values] of Object.entries(seen)) if (values.length) line(name, what, values);
  return at(seen.post, 0.99);
}

let failed = false;
try {
  const alone = performance.now() + seconds * 1000;
  await bystander('alone', () => alone);
  const full = await created('bob');
  let over = false;
  const begun = performance.now();
  const flood = (async () => {
    const took = [];
    for (let n = 0; n < copies; ++n) took.push(await post(full, large(n)));
    while (performance.now() < begun + seconds * 1000) took.push(await post(full, { writer: 'writer_0', turns: [{ role: 'user', text: text(0) }] }).catch(() => 0));
    line('flood', 'post', took);
    over = true;
  })();
  failed = (await bystander('beside', () => (over ? 0 : Infinity))) > 250;
  await flood;
  console.log(failed ? 'FAIL' : 'pass');
} finally {
  relay.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
