// One relay with default settings, twenty people who talk through it, and a proxy before the provider. The
// people and the proxy are processes of their own, so that they do not wait for this process's event loop,
// which the attackers use.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { Apart } from './apart.mjs';

/** The model that the provider refuses, with a message that repeats the request, key included. */
export const leaky = 'leaky-provider';
/** Looks like a real key. It must never be seen behind the relay. */
export const providersKey = 'sk-proj-hostile0123456789abcdefghijklmnopqrstuvwxyz';

/** A policy as the documentation recommends one; else the defaults. */
export const settings = ['policy.locked=["instructions"]', 'session.transcription_grace=0s'];
/** MiB that the relay may take at most while all of it goes on: docs/security.md. */
export const memoryBound = 512;

export class Scene {
  static async start(t, { people = 20, set = [] } = {}) {
    const scene = new Scene();
    scene.t = t;
    scene.count = people;
    scene.simulator = await startSimulator(t);
    scene.door = await Apart.start(t, new URL('door.mjs', import.meta.url));
    scene.relay = await startRelay(t, {
      env: { VERBATIM_UPSTREAM_API_KEY: providersKey },
      set: [`upstream.url=${await scene.door.call('open', scene.simulator.url, leaky)}`, ...set],
    });
    scene.people = await Apart.start(t, new URL('people.mjs', import.meta.url));
    await scene.people.call('join', { url: scene.relay.url, wsUrl: scene.relay.wsUrl, key: scene.relay.key }, people);
    return scene;
  }

  /** Processes that stand for other machines: the people's and the provider's. */
  otherMachines() {
    return [this.people.pid, this.door.pid, this.simulator.program.pid];
  }

  /** How often the relay connected to the provider. */
  connections() {
    return this.door.call('connections');
  }

  /** The waits, in ms, of the words that were said meanwhile. */
  async waitsWhile(work) {
    await this.people.call('beginToMeasure');
    await work();
    return this.people.call('measured');
  }

  /** No harmless talker has lost a connection or a word. */
  async allTalk() {
    assert.equal(await this.people.call('dropped'), 0, 'people whose connection was dropped');
    await this.people.call('hearAnotherWord');
  }

  async stopTalkers() {
    assert.deepEqual(await this.people.call('stop'), Array(this.count).fill(0), 'words without an answer');
  }

  /** The most resident memory that the relay had, in MiB. */
  peak() {
    const status = readFileSync(`/proc/${this.relay.program.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)[1]) / 1024;
  }

  /** The address at which it listens. */
  raw() {
    const { hostname, port } = new URL(this.relay.url);
    return { host: hostname, port: Number(port) };
  }
}
