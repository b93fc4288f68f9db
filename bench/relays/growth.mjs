// Measures how cost grows: memory with the length of a conversation, and throughput from one core to two.
// Also measures how the delays of text (journal) and of the API grow with the size of the store.
//
//   node bench/relays/growth.mjs [--turns 1000000] [--hours 3] [--out docs/performance]
//
// Long conversations run a hundred times faster than in reality. The measurement of two cores needs the
// right to make a control group: the relay gets 30 % of each core, and the load needs the rest.
import https from 'node:https';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { accounts } from './accounting.mjs';
import { makeCertificate } from './certificate.mjs';
import { CpuLimit } from './cpu_limit.mjs';
import { Load, measure } from './measure.mjs';
import { startPeer } from './peers.mjs';
import { lines } from './plots.mjs';

const root = resolve(new URL('../..', import.meta.url).pathname);
const { values } = parseArgs({
  options: {
    turns: { type: 'string', default: '1000000' },
    hours: { type: 'string', default: '3' },
    out: { type: 'string', default: join(root, 'docs', 'performance') },
  },
});
const directory = join(root, 'build', 'bench', 'growth');
rmSync(directory, { recursive: true, force: true });
const certificate = makeCertificate(directory);
let port = 24_000;
const place = (name) => ({
  ...certificate,
  directory: join(directory, name),
  binary: join(root, 'build', 'bench', 'verbatim'),
  loadBinary: join(root, 'build', 'bench', 'relay_load'),
  port: (port += 2),
  providerPort: port + 1,
});

// ---- the length of a conversation ----------------------------------------------------------

const haste = 100;
const sessions = 10;
async function lengthOfConversation() {
  const where = place('long');
  const seconds = (Number(values.hours) * 3600) / haste;
  const load = new Load(where.loadBinary, '1', {
    port: where.port, 'provider-port': where.providerPort, cert: where.cert, key: where.key,
    sessions, work: 'conversation', 'exchange-ms': 4000 / haste, seconds, 'warm-up': 0.5,
  });
  await load.phase('listening');
  const relay = await startPeer('verbatim', where, '0');
  const empty = accounts(relay.pid).pssKiB;
  load.go();
  await load.phase('connected');
  load.go();
  await load.phase('measuring');
  const begin = Date.now();
  const samples = [];
  const sampling = setInterval(() => {
    const hours = ((Date.now() - begin) / 3_600_000) * haste;
    samples.push([+hours.toFixed(3), +((accounts(relay.pid).pssKiB - empty) / sessions).toFixed(1)]);
  }, 1000);
  const done = await load.phase('done');
  clearInterval(sampling);
  load.end();
  await relay.stop();
  return { sessions, haste, messages: done.messages, kib_per_session_by_hours: samples };
}

// ---- the size of the store ------------------------------------------------------------------

const turnsOfSession = 750;
const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });

function request(where, path, method = 'GET', body) {
  return new Promise((resolve, reject) => {
    const sent = https.request({ port: where.port, path, method, agent, headers: { 'content-type': 'application/json' } }, (answer) => {
      let text = '';
      answer.on('data', (data) => (text += data));
      answer.on('end', () => resolve({ status: answer.statusCode, json: text && JSON.parse(text) }));
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}

async function fill(where, sessions) {
  for (let number = 0; number < sessions; ++number) {
    const made = await request(where, '/v1/sessions', 'POST', { user: `user_${number % 100}` });
    const turns = Array.from({ length: turnsOfSession }, (_, i) => ({
      role: i % 2 ? 'assistant' : 'user',
      ordinal: i + 1,
      text: `This is what was said in turn ${i} of conversation ${number}, as people say it, and a little more.`,
    }));
    const posted = await request(where, `/v1/sessions/${made.json.id}/transcript`, 'POST', { writer: 'agent', turns });
    if (posted.status !== 200) throw new Error(`a post was answered with ${posted.status}`);
  }
}

async function timed(where, path, times = 200) {
  const took = [];
  for (let i = 0; i < times; ++i) {
    const begin = process.hrtime.bigint();
    const { status } = await request(where, path);
    if (status !== 200) throw new Error(`${path}: ${status}`);
    took.push(Number(process.hrtime.bigint() - begin) / 1e6);
  }
  took.sort((a, b) => a - b);
  return { p50_ms: took[times >> 1], p99_ms: took[Math.floor(times * 0.99)] };
}

async function sizeOfStore() {
  const rows = [];
  const data = join(directory, 'store');
  let filled = 0;
  for (const turns of [0, 10_000, 100_000, Number(values.turns)]) {
    const where = place('store');
    const settings = [`server.data_dir=${data}`, 'posts.per_minute=0'];
    const relay = await startPeer('verbatim', where, '0', settings);
    const wanted = Math.floor(turns / turnsOfSession);
    await fill(where, wanted - filled);
    filled = wanted;
    const sample = await request(where, '/v1/sessions', 'POST', { user: 'one' });
    await request(where, `/v1/sessions/${sample.json.id}/transcript`, 'POST', { writer: 'agent', turns: [{ role: 'user', text: 'Yes.' }] });
    const api = {
      list: await timed(where, '/v1/sessions?limit=50'),
      list_of_user: await timed(where, '/v1/sessions?user=one&limit=50'),
      transcript: await timed(where, `/v1/sessions/${sample.json.id}/transcript`),
    };
    agent.destroy();
    await relay.stop();
    const talk = await measure('verbatim', place('store'), { sessions: 100, work: 'conversation', 'message-ms': 100, 'warm-up': 2, seconds: 5 }, { settings });
    rows.push({ turns, api, text: talk.delays.down_text, audio: talk.delays.down_audio });
    console.error(`${turns} turns: list ${api.list.p50_ms.toFixed(2)}/${api.list.p99_ms.toFixed(2)} ms, transcript ${api.transcript.p50_ms.toFixed(2)}/${api.transcript.p99_ms.toFixed(2)} ms, text p50 ${talk.delays.down_text.p50_ms.toFixed(2)} p99 ${talk.delays.down_text.p99_ms.toFixed(2)} ms`);
  }
  return rows;
}

// ---- from one core to two ------------------------------------------------------------------

const share = 0.3;
const overload = 1600; // conversations: far more than the CPU limit can carry
async function twoCores() {
  const rows = [];
  for (let round = 0; round < 3; ++round) {
    for (const cores of [1, 2]) {
      const limit = CpuLimit.make(share * cores);
      if (!limit) return undefined;
      const talk = await measure(
        'verbatim', place(`cores${round}${cores}`),
        { sessions: overload, work: 'conversation', 'message-ms': 100, 'warm-up': 3, seconds: 6 },
        { settings: [`server.threads=${cores}`], relayCores: cores === 1 ? '0' : '0,1', loadCores: '0,1', limit },
      );
      limit.end();
      rows.push({ cores, messages_per_second: talk.messages_per_second, relay_cores: talk.relay_cores });
      console.error(`${cores} x ${share} cores: ${talk.messages_per_second.toFixed(0)} messages a second`);
    }
  }
  return rows;
}

const cores = await twoCores();
const long = await lengthOfConversation();
console.error(`a conversation of ${values.hours} h: KiB a session`, long.kib_per_session_by_hours.filter((_, i, all) => i % Math.ceil(all.length / 12) === 0).join('  '));
const store = await sizeOfStore();
mkdirSync(values.out, { recursive: true });
writeFileSync(join(values.out, 'growth.json'), `${JSON.stringify({ date: new Date().toISOString(), cores, long, store }, null, 1)}\n`);
writeFileSync(
  join(values.out, 'memory-hours.svg'),
  lines('Memory of a session that speaks without pause', 'hours', 'KiB', [{ label: 'Verbatim', ours: true, points: long.kib_per_session_by_hours.filter((_, i) => i % 6 === 0) }]),
);
rmSync(directory, { recursive: true, force: true });
