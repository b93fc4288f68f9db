// Measures how posts of copies affect a live conversation. Stores 100 copies of 501 turns, then
// posts more. Meanwhile a conversation is live, another session's metadata is changed, and /readyz
// is called. Then measures the same without posts.
//
//   node bench/copies.mjs [--program build/release/verbatim] [--seconds 10] [--copies 100] [--turns 501]
//
// Exits 1 in one of these cases:
// - The first ten posts after those copies take more than 100 ms at the median.
// - The p99 of a live word or of a PATCH is more than twice that without posts, and more than 5 ms longer (a
//   thread's time slice).
// - /readyz answers anything but 200.
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { at, line, serve } from './served.mjs';

const require = createRequire(new URL('../tests/e2e/package.json', import.meta.url));
const WebSocket = require('ws');

const { values: options } = parseArgs({
  options: {
    program: { type: 'string', default: 'build/release/verbatim' },
    seconds: { type: 'string', default: '10' },
    copies: { type: 'string', default: '100' },
    turns: { type: 'string', default: '501' },
  },
});
const seconds = Number(options.seconds);
const copies = Number(options.copies);
const turns = Number(options.turns);

const relay = await serve(options.program);
const { url, request } = relay;
const created = () => relay.created('ada');

// Each writer heard one turn in twenty differently.
const copy = (writer) => ({
  writer: `writer_${writer}`,
  turns: Array.from({ length: turns }, (_, i) => ({
    role: i % 2 ? 'assistant' : 'user',
    text: `This is what somebody said in line ${i}, with as many words as people use in one breath${
      (i * 7 + writer) % 20 ? '' : `, as writer ${writer} heard it`
    }.`,
    ordinal: i + 1,
  })),
});

class Conversation {
  waits = [];
  #asked = new Map();
  #count = 0;

  async connect() {
    this.socket = new WebSocket(url.replace('http', 'ws') + '/v1/realtime');
    await new Promise((resolve, reject) => this.socket.once('open', resolve).once('error', reject));
    this.socket.on('message', (data) => {
      const event = JSON.parse(data);
      const id = event.type === 'conversation.item.added' && event.item.id;
      if (!this.#asked.has(id)) return;
      this.waits.push(performance.now() - this.#asked.get(id));
      this.#asked.delete(id);
    });
  }
  /** Sends a word; `waits` gets the time until the provider's answer to it is durable and received. */
  say() {
    const id = `word_${++this.#count}`;
    this.#asked.set(id, performance.now());
    const content = [{ type: 'input_text', text: 'a word or two' }];
    const item = { id, type: 'message', role: 'user', content };
    this.socket.send(JSON.stringify({ type: 'conversation.item.create', item }));
  }
}

async function run(name, poster) {
  const talk = new Conversation();
  await talk.connect();
  const other = await created();
  const seen = { patch: [], post: [], ready: [] };
  const end = performance.now() + seconds * 1000;
  const repeat = async (interval, what) => {
    while (performance.now() < end) {
      const next = performance.now() + interval;
      await what();
      await pause(Math.max(0, next - performance.now()));
    }
  };
  let patches = 0;
  await Promise.all([
    repeat(10, async () => talk.say()),
    repeat(10, async () => {
      const patched = await request(`/v1/sessions/${other}`, 'PATCH', { metadata: { n: `${++patches}` } });
      if (patched.status !== 200) throw new Error(patched.text);
      seen.patch.push(patched.ms);
    }),
    repeat(50, async () => seen.ready.push((await request('/readyz')).status)),
    poster && repeat(0, async () => {
      const answer = await poster();
      if (answer.status !== 200) throw new Error(answer.text);
      seen.post.push(answer.ms);
    }),
  ]);
  await pause(200);
  talk.socket.close();
  line(name, 'word', talk.waits);
  line(name, 'patch', seen.patch);
  line(name, 'post', seen.post);
  const bad = seen.ready.filter((status) => status !== 200).length;
  console.log(`${name.padEnd(14)} readyz ${seen.ready.length} times, ${bad} times not 200`);
  // Only for the first posts is the number of stored copies about the requested one; for later
  // posts it is larger.
  const first = seen.post.slice(0, 10);
  line(name, 'first', first);
  return { word: at(talk.waits, 0.99), patch: at(seen.patch, 0.99), post: at(first, 0.5), bad };
}

let failed = false;
try {
  const alone = await run('without posts');
  const full = await created();
  const filling = [];
  for (let i = 0; i < copies; ++i) {
    const answer = await request(`/v1/sessions/${full}/transcript`, 'POST', copy(i));
    if (answer.status !== 200) throw new Error(answer.text);
    filling.push(answer.ms);
  }
  console.log(`filling        ${copies} copies of ${turns} turns: the first ${filling[0].toFixed(1)} ms, the last ${filling.at(-1).toFixed(1)} ms`);
  let next = copies;
  const posts = await run('with posts', () =>
    request(`/v1/sessions/${full}/transcript`, 'POST', copy(next++)),
  );
  const within = (now, before) => now <= 2 * before || now <= before + 5;
  failed =
    posts.post > 100 || posts.bad > 0 || !within(posts.word, alone.word) || !within(posts.patch, alone.patch);
  console.log(failed ? 'FAIL' : 'pass');
} finally {
  relay.close();
}
process.exit(failed ? 1 : 0);
