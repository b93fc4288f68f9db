// People who talk through public SDKs, in a process of their own, because Node reads the trusted certificate
// (NODE_EXTRA_CA_CERTS) when it starts. Each has one session, and its SDK or its application connects again
// whenever the connection is lost.
//
//   node people.mjs URL < TOKENS        TOKENS: one a line, each `openai TOKEN` or `agents TOKEN`
//
// A line on stdin is a command: `round N` waits until each has had an answer after N losses; `end` lets
// them finish. Prints one JSON line for each.
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const [url] = process.argv.slice(2);
const between_words_ms = 150; // how long a person thinks
const before_retry_ms = () => 100 + Math.random() * 200; // of an application
const changes = new EventEmitter(); // `changed`: a person has seen or lost something

const message = (text) => ({
  type: 'conversation.item.create',
  item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
});

class Person {
  asked = 0;
  losses = 0; // connections that were lost
  answeredAfter = -1; // the number of losses before its last answer
  texts = new Map(); // by item: the text that it has received, or has been shown as its own
  silences = []; // from each loss to the first event after it
  errors = [];
  ending = false;

  constructor(name, token) {
    Object.assign(this, { name, token });
  }

  next() {
    return `${this.name} says ${++this.asked}.`;
  }

  lost() {
    if (this.lostAt !== undefined) return;
    ++this.losses;
    this.lostAt = performance.now();
    changes.emit('changed');
  }

  see(event) {
    if (this.lostAt !== undefined) {
      this.silences.push(performance.now() - this.lostAt);
      this.lostAt = undefined;
    }
    if (event.type === 'response.output_text.delta' || event.type === 'response.output_audio_transcript.delta') {
      this.texts.set(event.item_id, (this.texts.get(event.item_id) ?? '') + event.delta);
    } else if (event.type === 'conversation.item.added') {
      const text = event.item.content?.map(({ text, transcript }) => text ?? transcript ?? '').join('') ?? '';
      // A snapshot shows the item again, with everything that was received of it.
      if (text.length > (this.texts.get(event.item.id) ?? '').length) this.texts.set(event.item.id, text);
    } else if (event.type === 'response.done' && event.response.status === 'completed') {
      this.answeredAfter = this.losses;
      changes.emit('changed');
    }
  }
}

class OpenAIPerson extends Person {
  async start() {
    const { default: OpenAI } = await import('openai');
    const { OpenAIRealtimeWS } = await import('openai/realtime/ws');
    const sdk = new OpenAI({ apiKey: this.token, baseURL: `${url}/v1` });
    // The SDK tries five times in the life of a socket; then the application opens another one.
    const open = () => {
      const socket = (this.socket = new OpenAIRealtimeWS({ model: 'gpt-realtime', reconnect: { initialDelay: 100, maxDelay: 1000 } }, sdk));
      const ask = async () => {
        const losses = this.losses;
        await pause(between_words_ms);
        if (this.ending || losses !== this.losses) return;
        socket.send(message(this.next()));
        socket.send({ type: 'response.create' });
      };
      socket.on('error', (error) => this.errors.push(String(error.message ?? error)));
      socket.on('reconnecting', () => this.lost());
      socket.on('event', (event) => {
        this.see(event);
        if (['session.created', 'response.done'].includes(event.type)) void ask();
      });
      socket.on('close', async () => {
        if (this.ending) return;
        this.lost();
        await pause(before_retry_ms());
        open();
      });
    };
    open();
  }
  leave() {
    this.socket.close();
  }
}

/** This SDK does not connect again by itself: its application does, with the token that it has. */
class AgentsPerson extends Person {
  async start() {
    const { RealtimeAgent, RealtimeSession } = await import('@openai/agents-realtime');
    this.connect = async () => {
      const agent = new RealtimeAgent({ name: this.name, instructions: 'Answer.' });
      const session = new RealtimeSession(agent, { transport: 'websocket', model: 'gpt-realtime' });
      this.session = session;
      let connected = false;
      session.on('error', ({ error }) => this.errors.push(JSON.stringify(error)?.slice(0, 200)));
      session.transport.on('*', (event) => {
        if (this.session !== session) return;
        this.see(event);
        if (event.type === 'response.done') void this.ask(session);
      });
      session.transport.on('connection_change', (status) => {
        if (status !== 'disconnected' || !connected || this.session !== session || this.ending) return;
        this.lost();
        this.session = undefined;
        void this.again();
      });
      await session.connect({ apiKey: this.token, url: `${url.replace(/^http/, 'ws')}/v1/realtime` });
      connected = true;
      void this.ask(session);
    };
    await this.connect();
  }
  async again() {
    while (!this.ending) {
      await pause(before_retry_ms());
      try {
        return await this.connect();
      } catch {
        this.session = undefined; // the relay is not there yet
      }
    }
  }
  async ask(session) {
    await pause(between_words_ms);
    if (!this.ending && this.session === session) session.sendMessage(this.next());
  }
  leave() {
    this.session?.close();
  }
}

const people = [];
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function all(holds, what, ms = 120_000) {
  const signal = AbortSignal.timeout(ms);
  try {
    while (!people.every(holds)) await once(changes, 'changed', { signal });
  } catch {
    const late = people.filter((person) => !holds(person));
    say({ error: `${what}: ${late.length} people wait`, late: late.map(({ name, losses, errors }) => ({ name, losses, errors: errors.slice(-3) })) });
    process.exit(1);
  }
}

process.on('unhandledRejection', (error) => process.stderr.write(`${error?.stack}\n`));
for await (const line of createInterface({ input: process.stdin })) {
  const [command, value] = line.split(' ');
  if (command === 'openai' || command === 'agents') {
    const Kind = command === 'openai' ? OpenAIPerson : AgentsPerson;
    people.push(new Kind(`p${people.length}`, value));
  } else if (command === 'begin') {
    await Promise.all(people.map((person) => person.start()));
    await all(({ answeredAfter }) => answeredAfter >= 0, 'the first answer');
    say({ begun: people.length });
  } else if (command === 'round') {
    const losses = Number(value);
    await all((person) => person.losses >= losses && person.answeredAfter >= losses, `an answer after loss ${losses}`);
    say({ round: losses });
  } else if (command === 'end') {
    for (const person of people) person.ending = true;
    for (const person of people) person.leave();
    say({
      people: people.map(({ name, token, asked, losses, texts, silences, errors }) => ({
        name, token, asked, losses, silences, errors, texts: Object.fromEntries(texts),
      })),
    });
    break;
  }
}
// The process ends by itself once all connections have closed.
process.stdin.destroy();
