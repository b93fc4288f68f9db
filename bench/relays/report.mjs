// Writes the results as a table and plots.
//
//   node bench/relays/report.mjs [DIRECTORY]     draws the results in DIRECTORY/results.json again
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { peers } from './peers.mjs';
import { bars, lines } from './plots.mjs';

/** Writes table.md and the plots into `out`. Returns the table in Markdown. */
export function report(results, out) {
  const of = (part, name, sessions) =>
    results.find((one) => one.part === part && one.relay === name && (!sessions || one.sessions === sessions));
  const measured = Object.keys(peers).filter((name) => name !== 'direct');
  const title = (name) => peers[name].title;
  const plot = (file, svg) => writeFileSync(join(out, file), svg);
  const bar = (part, pick) => measured.map((name) => ({ label: title(name), value: pick(of(part, name)), ours: name === 'verbatim' }));
  plot('cpu-audio.svg', bars('CPU a message: 300 sessions, 6.4 kB of audio both ways', 'µs', bar('audio', (one) => one.cpu_us_per_message)));
  plot('cpu-flood.svg', bars('CPU a message at saturation: 8 clients send without pause', 'µs', bar('flood', (one) => one.cpu_us_per_message)));
  plot('memory-idle.svg', bars('Memory of an idle session, TLS on both connections', 'KiB', bar('idle', (one) => one.kib_per_idle_session)));
  const curve = (name, pick) => ({
    label: title(name),
    ours: name === 'verbatim',
    points: results
      .filter((one) => one.relay === name && ['conversation', 'growth'].includes(one.part))
      .map((one) => [one.sessions, pick(one)])
      .filter(([, value]) => value > 0),
  });
  plot('cpu-sessions.svg', lines('CPU a message, by sessions (conversation)', 'sessions', 'µs', ['nginx', 'verbatim', 'node'].map((name) => curve(name, (one) => one.cpu_us_per_message))));
  plot('delay-audio.svg', lines('Delay of audio to the client, p99', 'sessions', 'ms', ['direct', 'nginx', 'verbatim', 'node'].map((name) => curve(name, (one) => one.delays.down_audio?.p99_ms)), { log: true }));
  plot('delay-text.svg', lines('Delay of text to the client, p99', 'sessions', 'ms', ['direct', 'nginx', 'verbatim', 'node'].map((name) => curve(name, (one) => one.delays.down_text?.p99_ms)), { log: true }));

  const table = [
    ['', ...measured.map(title)],
    ['CPU, audio message, 300 sessions (µs)', ...measured.map((name) => of('audio', name).cpu_us_per_message.toFixed(1))],
    ['CPU, message of a conversation, 300 sessions (µs)', ...measured.map((name) => of('conversation', name, 300).cpu_us_per_message.toFixed(1))],
    ['CPU, message of a conversation with 20 ms audio, 100 sessions (µs)', ...measured.map((name) => of('20 ms', name).cpu_us_per_message.toFixed(1))],
    ['CPU, message at saturation (µs)', ...measured.map((name) => of('flood', name).cpu_us_per_message.toFixed(1))],
    ['messages a second at saturation', ...measured.map((name) => of('flood', name).messages_per_second.toFixed(0))],
    ['audio up, 300 sessions, p50/p99/p99.9 (ms)', ...measured.map((name) => threes(of('conversation', name, 300).delays.up_audio))],
    ['audio down', ...measured.map((name) => threes(of('conversation', name, 300).delays.down_audio))],
    ['text down', ...measured.map((name) => threes(of('conversation', name, 300).delays.down_text))],
    ['memory, idle session (KiB)', ...measured.map((name) => of('idle', name).kib_per_idle_session.toFixed(0))],
    ['memory, speaking session (KiB)', ...measured.map((name) => of('conversation', name, 300).kib_per_session.toFixed(0))],
    ['connections a second', ...measured.map((name) => of('idle', name).connects_per_second.toFixed(0))],
  ];
  const markdown = table.map((row) => `| ${row.join(' | ')} |`);
  markdown.splice(1, 0, `|${'---|'.repeat(table[0].length)}`);
  writeFileSync(join(out, 'table.md'), `${markdown.join('\n')}\n`);
  return markdown.join('\n');
}

function threes(delays) {
  return delays ? [delays.p50_ms, delays.p99_ms, delays.p999_ms].map((ms) => ms.toFixed(2)).join(' / ') : '';
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = resolve(process.argv[2] ?? fileURLToPath(new URL('../../docs/performance', import.meta.url)));
  console.log(report(JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')).results, out));
}
