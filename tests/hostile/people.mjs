// People who only talk: each says a word every 50 ms without waiting for the last one. A process of its own:
// see apart.mjs.
import { setTimeout as pause } from 'node:timers/promises';
import { Client, request } from '../e2e/support/verbatim.mjs';
import { serve } from './apart.mjs';

const scope = { after() {} }; // the sockets end with the process
let people = [];

class Person {
  waits = []; // ms, of words that came back: durable, and from the provider
  #open = new Map();
  #count = 0;
  #talking = true;

  static async join(relay, name) {
    const { json } = await request(`${relay.url}/v1/realtime/client_secrets`, {
      method: 'POST',
      key: relay.key,
      body: { session: { type: 'realtime' }, verbatim: { user: name } },
    });
    const person = new Person();
    person.client = await Client.connect(scope, relay, { token: json.value });
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
      this.client.events.length = this.client.frames.length = 0; // they are not needed
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

serve({
  async join(relay, count) {
    people = await Promise.all(Array.from({ length: count }, (_, n) => Person.join(relay, `person-${n}`)));
  },
  /** Counts the waits from zero again. */
  beginToMeasure() {
    for (const person of people) person.waits.length = 0;
  },
  /** How long each word took that came back since, in ms. */
  measured: () => people.flatMap((person) => person.waits),
  dropped: () => people.filter((person) => person.dropped).length,
  /** Returns when each of them has heard another word; the caller bounds the wait. */
  async hearAnotherWord() {
    const heard = people.map((person) => person.waits.length);
    while (people.some((person, n) => person.waits.length === heard[n])) await pause(10);
  },
  /** Stops all talkers. Returns how many words of each never came back. */
  async stop() {
    await Promise.all(people.map((person) => person.stop()));
    const deadline = performance.now() + 10_000;
    while (people.some((person) => person.unanswered > 0) && performance.now() < deadline) await pause(10);
    return people.map((person) => person.unanswered);
  },
});
