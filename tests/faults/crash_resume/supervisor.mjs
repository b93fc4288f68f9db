// Runs a relay on one port and one data directory, and starts it again whenever it has ended: as a service
// manager does after a crash.
import { freePort } from '../../e2e/support/process.mjs';
import { makeKey, startRelay, temporaryDirectory } from '../../e2e/support/verbatim.mjs';

export class Supervisor {
  starts = 0;
  #stopped = false;

  /** `scope`: anything with after(). `set`: further settings of the relay. */
  static async start(scope, { simulator, set = [], env, dataDir = temporaryDirectory(scope) }) {
    const supervisor = new Supervisor();
    Object.assign(supervisor, { scope, simulator, env, dataDir, key: makeKey() });
    const port = await freePort();
    supervisor.set = [
      `server.listen=127.0.0.1:${port}`,
      'session.resume_window=30s',
      'upstream.reconnect_attempts_max=5',
      'upstream.reconnect_pause_min=5ms',
      ...set,
    ];
    scope.after(() => (supervisor.#stopped = true));
    await supervisor.#run();
    return supervisor;
  }

  async #run() {
    const { scope, simulator, env, dataDir, key, set } = this;
    while (!this.#stopped) {
      try {
        this.relay = await startRelay(scope, { simulator, env, dataDir, key, set });
        break;
      } catch (error) {
        // It was killed while it started.
        if (!/ended with SIGKILL/.test(error.message)) throw error;
        ++this.killedStarts;
      }
    }
    ++this.starts;
  }

  killedStarts = 0;

  /** Kills the relay; resolves when the next one is ready. */
  async crash() {
    await this.relay.program.stop('SIGKILL');
    await this.#run();
  }
}
