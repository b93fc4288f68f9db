// Starts a relay for a benchmark, with a temporary data folder and plain HTTP, and stops it at the end.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Waits until `program` serves. `close()` stops it and deletes its data. */
export async function serve(program) {
  const folder = mkdtempSync(join(tmpdir(), 'verbatim-bench-'));
  const ready = join(folder, 'ready.json');
  const settings = ['server.listen=127.0.0.1:0', 'tls.enabled=false', `server.data_dir=${folder}/data`, 'posts.per_minute=0', 'log.level=error'];
  const relay = spawn(program, ['serve', '--ready-file', ready, ...settings.flatMap((one) => ['--set', one])], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  while (!existsSync(ready)) await pause(20);
  const { url } = JSON.parse(readFileSync(ready, 'utf8'));
  const request = async (path, method = 'GET', body = undefined) => {
    const begun = performance.now();
    const answer = await fetch(url + path, { method, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, text, ms: performance.now() - begun };
  };
  return {
    url,
    request,
    /** Creates a session and returns its id. */
    created: async (user) => JSON.parse((await request('/v1/sessions', 'POST', { user })).text).id,
    close() {
      relay.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The value below which this share of the values lies. */
export const at = (values, share) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];

/** Prints the median, the p99 and the maximum of times in milliseconds, if there are any. */
export function line(name, what, values) {
  if (values.length === 0) return;
  const ms = (value) => `${value.toFixed(1).padStart(8)} ms`;
  console.log(
    `${name.padEnd(14)} ${what.padEnd(6)} ${String(values.length).padStart(5)}   median ${ms(at(values, 0.5))}   p99 ${ms(at(values, 0.99))}   most ${ms(Math.max(...values))}`,
  );
}
