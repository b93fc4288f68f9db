// Measures how a flood of posts to one session affects other sessions. A back end posts copies of
// thousands of different turns to one session. Meanwhile another session gets a short copy every 50
// ms, is read, and is followed by an event stream. Then measures the same without the flood.
//
//   node bench/beside_a_flood.mjs [--program build/release/verbatim] [--seconds 10] [--copies 10] [--turns 10000] [--shape unlike|alike|numbered]
//
// Exits 1 if the p99 of the short posts during the flood is above 250 ms.
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { at, line, serve } from './served.mjs';

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

const relay = await serve(options.program);
const { url, request, created } = relay;
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

/** Measures a short post to a separate session, a read of it, and the delay until a subscriber gets it. */
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
  for (const [what, values] of Object.entries(seen)) line(name, what, values);
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
  relay.close();
}
process.exit(failed ? 1 : 0);
