// One relay with its defaults, twenty people who talk through it, and a door before the provider
// that counts connections and can be a provider that repeats what it was sent.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, startRelay, startSimulator } from '../e2e/support/verbatim.mjs';

/** The models for which the provider refuses, saying again what it was told: key and all. */
export const leaky = 'leaky-provider';
/** What a real key looks like: it must never be seen behind the relay. */
export const providersKey = 'sk-proj-hostile0123456789abcdefghijklmnopqrstuvwxyz';

/** A policy as the documentation recommends one; else the defaults. */
export const settings = ['policy.locked=["instructions"]', 'session.transcription_grace=0s'];
/** MiB that the relay may take at most while all of it goes on: docs/security.md. */
export const memoryBound = 512;

class Door {
  connections = 0;

  static async open(t, simulator) {
    const door = new Door();
    const { hostname, port } = new URL(simulator.url);
    const sockets = new Set();
    const server = net.createServer({ noDelay: true }, (near) => {
      ++door.connections;
      sockets.add(near);
      near.on('close', () => sockets.delete(near));
      near.on('error', () => {});
      near.once('data', (head) => {
        if (head.includes(leaky)) {
          const said = /authorization: bearer (\S+)/i.exec(head.toString())?.[1];
          const body = JSON.stringify({ error: { code: 'invalid_api_key', message: `Incorrect API key provided: ${said}.` } });
          near.end(`HTTP/1.1 401 Key ${said} refused\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
          return;
        }
        const far = net.connect({ host: hostname, port: Number(port), noDelay: true });
        sockets.add(far);
        far.on('error', () => near.destroy());
        far.on('close', () => (near.destroy(), sockets.delete(far)));
        near.on('close', () => far.destroy());
        far.write(head);
        near.pipe(far).pipe(near);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    door.url = `ws://127.0.0.1:${server.address().port}/v1/realtime`;
    return door;
  }
}

/** Says a word every 50 ms and waits for none before the next. */
class Person {
  waits = []; // ms, of words that came back: durable, and from the provider
  #open = new Map();
  #count = 0;
  #talking = true;

  static async join(t, relay, name) {
    const person = new Person();
    person.client = await Client.connect(t, relay, { token: await relay.mint({ user: name }) });
    person.client.socket.on('message', (data) => {
      const event = JSON.parse(data);
      const began = event.type === 'conversation.item.added' && person.#open.get(event.item.id);
      if (!began) return;
      person.waits.push(performance.now() - began);
      person.#open.delete(event.item.id);
    });
    person.over = person.#talk();
    return person;
  }

  async #talk() {
    while (this.#talking && !this.client.ended) {
      const id = `word_${++this.#count}`;
      this.#open.set(id, performance.now());
      const content = [{ type: 'input_text', text: `word ${this.#count}` }];
      this.client.send({ type: 'conversation.item.create', item: { id, type: 'message', role: 'user', content } });
      this.client.events.length = this.client.frames.length = 0; // they are not looked at
      await pause(50);
    }
  }

  async stop() {
    this.#talking = false;
    await this.over;
  }
  get dropped() {
    return this.client.ended === true;
  }
  get unanswered() {
    return this.#open.size;
  }
}

export class Scene {
  static async start(t, { people = 20, set = [] } = {}) {
    const scene = new Scene();
    scene.t = t;
    scene.simulator = await startSimulator(t);
    scene.door = await Door.open(t, scene.simulator);
    scene.relay = await startRelay(t, {
      env: { VERBATIM_UPSTREAM_API_KEY: providersKey },
      set: [`upstream.url=${scene.door.url}`, ...set],
    });
    scene.people = await Promise.all(
      Array.from({ length: people }, (_, n) => Person.join(t, scene.relay, `person-${n}`)),
    );
    return scene;
  }

  /** The longest wait but for one in a hundred, in ms, of the words that were said meanwhile. */
  async p99While(work) {
    for (const person of this.people) person.waits.length = 0;
    const result = await work();
    const waits = this.people.flatMap((person) => person.waits).sort((a, b) => a - b);
    return { result, words: waits.length, p99: waits[Math.floor(waits.length * 0.99)] };
  }

  /** Nobody who does no harm has lost a connection or a word. */
  async everybodyTalks() {
    assert.deepEqual(this.people.filter((person) => person.dropped).length, 0, 'who was dropped');
    const heard = this.people.map((person) => person.waits.length);
    while (this.people.some((person, n) => person.waits.length === heard[n])) await pause(10);
  }

  async everybodyStops() {
    await Promise.all(this.people.map((person) => person.stop()));
    const deadline = performance.now() + 10_000;
    while (this.people.some((person) => person.unanswered > 0) && performance.now() < deadline) await pause(10);
    assert.deepEqual(this.people.map((person) => person.unanswered), this.people.map(() => 0), 'words without an answer');
  }

  /** The most resident memory that the relay had, in MiB. */
  peak() {
    const status = readFileSync(`/proc/${this.relay.program.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)[1]) / 1024;
  }

  /** Where it listens. */
  raw() {
    const { hostname, port } = new URL(this.relay.url);
    return { host: hostname, port: Number(port) };
  }
}
