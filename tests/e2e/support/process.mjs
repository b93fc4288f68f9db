// The program as a child process: starts it, waits for it, stops it by its pid, reads its output.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, watch } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const binary =
  process.env.VERBATIM_BIN ??
  fileURLToPath(new URL('../../../build/release/verbatim', import.meta.url));

/** Milliseconds; long, because a machine that compiles beside the tests is slow. */
export const deadline = 60_000;

/** Settles like the promise, but not later than the deadline. */
export function within(promise, what, ms = deadline) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function temporaryDirectory(t) {
  const directory = mkdtempSync(join(tmpdir(), 'verbatim-e2e-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  t.after(() => {
    try {
      remove();
    } catch {
      // A program that still runs may be writing a file. The later hooks end it, so they must run.
      process.once('exit', remove);
    }
  });
  return directory;
}

/** Our own settings must not leak into the program under test. */
function cleanEnvironment(extra) {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('VERBATIM_') && name !== 'OPENAI_API_KEY',
  );
  return { ...Object.fromEntries(inherited), ...extra };
}

/**
 * A port that is free now. The kernel gives those from 32,768 to connections. This one is below them, so that a
 * server that starts on it again later finds it free.
 */
export async function freePort() {
  for (let attempt = 0; attempt < 100; ++attempt) {
    const server = createServer();
    try {
      server.listen(randomInt(10_000, 32_768), '127.0.0.1');
      await once(server, 'listening');
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error;
      continue;
    }
    const { port } = server.address();
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error('no free port below 32,768');
}

export class Program {
  stdout = '';
  stderr = '';

  /** `openFiles`: the most file descriptors that it may have. `through`: a program that runs it. */
  constructor(args, { env = {}, openFiles, through } = {}) {
    const limited = ['-c', `ulimit -n ${openFiles} && exec "$0" "$@"`, binary, ...args];
    const direct = through ? [binary, ...args] : args;
    this.child = spawn(openFiles ? 'sh' : (through ?? binary), openFiles ? limited : direct, {
      env: cleanEnvironment(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.over = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /** Waits until it has logged this event that many times. */
  logged(event, times = 1) {
    const stream = this.child.stderr;
    let look;
    const found = new Promise((resolve) => {
      look = () => this.stderr.split(event).length > times && resolve();
      stream.on('data', look);
      look();
    });
    return within(found, `log line ${event}`).finally(() => stream.off('data', look));
  }

  get pid() {
    return this.child.pid;
  }

  /** Ends it, unless it has ended, and returns how it ended. */
  async stop(signal = 'SIGTERM', ms = deadline) {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return within(this.over, `${signal} to end the program`, ms);
  }
}

/** The files that a process has open, by their links in /proc. */
export const openFiles = ({ pid }) =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return []; // closed meanwhile
    }
  });

/** Asks again until there is an answer, and returns it: for what cannot say when it is ready. */
export async function eventually(ask, what) {
  let go = true;
  const asking = (async () => {
    while (go) {
      const answer = await ask();
      if (answer) return answer;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return within(asking, what).finally(() => (go = false));
}

/** Runs a command to its end. */
export async function run(args, options) {
  const program = new Program(args, options);
  const { code } = await within(program.over, args.join(' '));
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** The contents of the ready file, as soon as it is whole; an error if the program ends before. */
export async function whenReady(program, directory, name) {
  const file = join(directory, name);
  const read = () => {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      return undefined;
    }
  };
  let watcher;
  const written = new Promise((resolve) => {
    const look = () => {
      const content = read();
      if (content) resolve(content);
    };
    watcher = watch(directory, look);
    look();
  });
  const ended = program.over.then(({ code, signal }) => {
    throw new Error(`ended with ${code ?? signal} before it was ready:\n${program.stderr}`);
  });
  try {
    return await within(Promise.race([written, ended]), `ready file ${name}`);
  } finally {
    watcher.close();
  }
}
