// Runs many conversations at once, in real time, against a running relay.
//
//   node bench/load.mjs --url https://127.0.0.1:8443 --sessions 200 --seconds 60 [--pid N] [--silent]
//
// Each session speaks (24 kHz PCM16, 100 ms messages), falls silent, listens to the answer, and records
// every character that it receives. At the end it reads each transcript over HTTP and compares it with
// what that client received: a difference is a lost event. With --pid it reads the relay's CPU time,
// memory and open files from the operating system.
import {createRequire} from 'node:module';
import {readFileSync, readdirSync} from 'node:fs';
import https from 'node:https';
import {parseArgs} from 'node:util';

const require = createRequire(new URL('../tests/e2e/package.json', import.meta.url));
const WebSocket = require('ws');

const {values: options} = parseArgs({
  options: {
    url: {type: 'string', default: 'https://127.0.0.1:8443'},
    sessions: {type: 'string', default: '200'},
    seconds: {type: 'string', default: '60'},
    pid: {type: 'string'},
    silent: {type: 'boolean', default: false},   // without speech: only audio to the provider
  },
});
const sessionCount = Number(options.sessions);
const seconds = Number(options.seconds);
const runId = Date.now().toString(36);

const chunkMs = 100;
const samplesPerChunk = 24 * chunkMs;
const append = (samples) => JSON.stringify({
  type: 'input_audio_buffer.append',
  audio: Buffer.from(samples.buffer).toString('base64'),
});
const tone = append(Int16Array.from({length: samplesPerChunk},
    (_, i) => Math.round(9000 * Math.sin(i / 9))));
const silence = append(new Int16Array(samplesPerChunk));

const speakingChunks = 20;
const silentChunks = 60;

class Caller {
  constructor(index) {
    this.id = `load_${runId}_${index}`;
    this.sent = 0;
    this.received = 0;
    this.audioReceived = 0;
    this.errors = [];
    this.done = new Map();      // item id -> final text
    this.partial = new Map();   // item id -> deltas so far
    this.phase = (index * 13) % (speakingChunks + silentChunks);
  }

  connect() {
    return new Promise((resolve, reject) => {
      const target = options.url.replace(/^http/, 'ws') + `/v1/realtime?session=${this.id}`;
      this.socket = new WebSocket(target, {rejectUnauthorized: false, perMessageDeflate: false});
      this.socket.on('message', (data) => this.receive(data));
      this.socket.on('error', (error) => { this.errors.push(String(error)); reject(error); });
      this.socket.on('close', (code) => {
        if (!this.closing) this.errors.push(`closed with ${code}`);
        this.closed?.();
      });
      this.socket.once('open', resolve);
    });
  }

  receive(data) {
    this.received++;
    const text = data.toString();
    if (text.startsWith('{"type":"response.output_audio.delta"')) {
      this.audioReceived++;
      return;
    }
    const event = JSON.parse(text);
    switch (event.type) {
      case 'error': this.errors.push(event.error.message); break;
      case 'response.output_audio_transcript.delta':
      case 'conversation.item.input_audio_transcription.delta':
        this.partial.set(event.item_id, (this.partial.get(event.item_id) ?? '') + event.delta);
        break;
      case 'response.output_audio_transcript.done':
      case 'conversation.item.input_audio_transcription.completed':
        this.done.set(event.item_id, event.transcript);
        break;
    }
  }

  tick() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const at = this.phase++ % (speakingChunks + silentChunks);
    this.socket.send(at < speakingChunks && !options.silent ? tone : silence);
    this.sent++;
  }

  close() {
    return new Promise((resolve) => {
      this.closing = true;
      this.closed = resolve;
      if (this.socket.readyState === WebSocket.CLOSED) resolve();
      else this.socket.close(1000);
    });
  }

  /// Every final text must be stored unchanged, and every partial text must be a prefix of the stored text.
  /// (A final text that arrived after the client left may lack the leading space of the first delta.)
  compare(transcript) {
    const kept = new Map(transcript.turns.map((turn) => [turn.item_id, turn.text]));
    let lost = 0;
    for (const [item, text] of this.done) if (kept.get(item) !== text) lost++;
    for (const [item, text] of this.partial) {
      const text_kept = kept.get(item) ?? '';
      if (this.done.has(item) || text_kept.startsWith(text)) continue;
      if (!text_kept.startsWith(text.trimStart())) lost++;
    }
    return lost;
  }
}

const agent = new https.Agent({rejectUnauthorized: false, keepAlive: true, maxSockets: 8});
function get(path) {
  return new Promise((resolve, reject) => {
    https.get(options.url + path, {agent}, (response) => {
      let body = '';
      response.on('data', (part) => { body += part; });
      response.on('end', () => resolve({status: response.statusCode, body}));
    }).on('error', reject);
  });
}

const ticksPerSecond = 100;
function processUse(pid) {
  if (!pid) return null;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / ticksPerSecond,
    pssMiB: Number(/^Pss:\s+(\d+)/m.exec(rollup)[1]) / 1024,
    files: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/// A quantile of a Prometheus histogram in milliseconds: the upper bound of its bucket.
function quantile(metrics, name, labels, q) {
  const buckets = [...metrics.matchAll(
      new RegExp(`^${name}_bucket\\{([^}]*)\\} (\\S+)$`, 'gm'))]
      .filter(([, found]) => labels.every((label) => found.includes(label)))
      .map(([, found, count]) => [/le="([^"]+)"/.exec(found)[1], Number(count)]);
  const total = buckets.at(-1)?.[1] ?? 0;
  const hit = buckets.find(([, count]) => count >= q * total);
  return !total ? null : hit[0] === '+Inf' ? Infinity : Number(hit[0]) * 1000;
}

const callers = Array.from({length: sessionCount}, (_, i) => new Caller(i));
const before = processUse(options.pid);
for (let i = 0; i < callers.length; i += 20) {
  await Promise.all(callers.slice(i, i + 20).map((caller) => caller.connect()));
}
const idle = processUse(options.pid);
const samples = [];
const started = process.hrtime.bigint();
const elapsed = () => Number(process.hrtime.bigint() - started) / 1e9;
let ticks = 0;
await new Promise((resolve) => {
  const timer = setInterval(() => {
    while (ticks < elapsed() * 1000 / chunkMs) {
      for (const caller of callers) caller.tick();
      ticks++;
      if (ticks % 50 === 0) samples.push(processUse(options.pid));
    }
    if (elapsed() >= seconds) { clearInterval(timer); resolve(); }
  }, chunkMs / 4);
});
const after = processUse(options.pid);
const metrics = (await get('/metrics')).body;
await Promise.all(callers.map((caller) => caller.close()));

let lost = 0, turns = 0, notFinal = 0, httpErrors = 0;
for (const caller of callers) {
  const response = await get(`/v1/sessions/${caller.id}/transcript?wait=20`);
  if (response.status !== 200) { httpErrors++; continue; }
  const transcript = JSON.parse(response.body);
  if (transcript.status !== 'final') notFinal++;
  turns += transcript.turns.length;
  lost += caller.compare(transcript);
}
agent.destroy();

const sum = (pick) => callers.reduce((total, caller) => total + pick(caller), 0);
const messages = sum((c) => c.sent) + sum((c) => c.received);
const delay = (direction, kind, q) => quantile(metrics, 'verbatim_relay_delay_seconds',
    [`direction="${direction}"`, `kind="${kind}"`], q);
const result = {
  sessions: sessionCount,
  seconds,
  messages_up: sum((c) => c.sent),
  messages_down: sum((c) => c.received),
  audio_down: sum((c) => c.audioReceived),
  characters_seen: sum((c) => [...c.partial.values()].reduce((n, text) => n + text.length, 0)),
  turns,
  errors: sum((c) => c.errors.length),
  first_errors: callers.flatMap((c) => c.errors).slice(0, 3),
  turns_lost_or_changed: lost,
  transcripts_not_final: notFinal,
  http_errors: httpErrors,
  relay: before && {
    cpu_us_per_message: Math.round((after.cpuSeconds - idle.cpuSeconds) * 1e6 / messages),
    cpu_cores: +((after.cpuSeconds - idle.cpuSeconds) / elapsed()).toFixed(2),
    pss_mib: {before: before.pssMiB, connected: idle.pssMiB,
      every_5s: samples.map((s) => +s.pssMiB.toFixed(1)), end: after.pssMiB},
    kib_per_session: Math.round((after.pssMiB - before.pssMiB) * 1024 / sessionCount),
    files: after.files,
  },
  relay_delay_ms_at_most: {
    audio_up: {p50: delay('to_upstream', 'audio', 0.5), p99: delay('to_upstream', 'audio', 0.99)},
    audio_down: {p50: delay('to_client', 'audio', 0.5), p99: delay('to_client', 'audio', 0.99)},
    text_down: {p50: delay('to_client', 'text', 0.5), p99: delay('to_client', 'text', 0.99)},
  },
  journal_wait_ms_at_most: {
    p50: quantile(metrics, 'verbatim_journal_wait_seconds', [], 0.5),
    p99: quantile(metrics, 'verbatim_journal_wait_seconds', [], 0.99),
    'p99.9': quantile(metrics, 'verbatim_journal_wait_seconds', [], 0.999),
  },
};
console.log(JSON.stringify(result, null, 2));
process.exitCode = result.errors || lost || notFinal || httpErrors ? 1 : 0;
