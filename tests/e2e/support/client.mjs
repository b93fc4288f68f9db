// A realtime client that keeps every frame it receives, and lets a test wait for frames.
import WebSocket from 'ws';
import { within } from './process.mjs';

function open(relay, { query = {}, token, protocols = [], headers = {}, socket = {} } = {}) {
  const url = new URL(relay.wsUrl);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return new WebSocket(url, protocols, {
    rejectUnauthorized: false,
    perMessageDeflate: false,
    ...socket,
    headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
  });
}

/** The HTTP answer to an upgrade that must be refused. */
export function refusal(relay, options) {
  const socket = open(relay, options);
  const refused = new Promise((resolve, reject) => {
    socket.on('open', () => {
      socket.terminate();
      reject(new Error('the upgrade was accepted'));
    });
    socket.on('error', reject);
    socket.on('unexpected-response', (_, incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (piece) => (text += piece));
      incoming.on('end', () => {
        resolve({
          status: incoming.statusCode,
          headers: incoming.headers,
          json: text.startsWith('{') ? JSON.parse(text) : undefined,
          text,
        });
      });
    });
  });
  return within(refused, 'refusal of the upgrade');
}

export class Client {
  frames = []; // the text of each, as it came
  events = []; // the same, parsed
  #waiting = new Set();

  constructor(socket) {
    this.socket = socket;
    // Before anything else can arrive: the first event may follow the upgrade at once.
    socket.on('message', (data, isBinary) => {
      const text = data.toString();
      this.frames.push(text);
      this.events.push(isBinary ? { type: 'binary' } : JSON.parse(text));
      for (const look of this.#waiting) look();
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.ended = true;
        resolve({ code, reason: reason.toString() });
        for (const look of this.#waiting) look();
      });
    });
  }

  /** With a token of its own, unless one is given; `token: null` goes without. */
  static async connect(t, relay, options = {}) {
    const token = options.token === undefined && !options.protocols ? await relay.mint() : options.token;
    const socket = open(relay, { ...options, token });
    const client = new Client(socket);
    t.after(() => socket.terminate());
    await within(
      new Promise((resolve, reject) => {
        socket.on('open', resolve);
        socket.on('error', reject);
      }),
      'upgrade',
    );
    socket.on('error', () => {}); // a close event follows
    return client;
  }

  /** With the extension events; the session's id is known as soon as this is done. */
  static async connectWithId(t, relay, options = {}) {
    const query = { events: 'verbatim', ...options.query };
    const client = await Client.connect(t, relay, { ...options, query });
    client.id = (await client.event('verbatim.session')).session_id;
    return client;
  }

  send(event) {
    this.socket.send(typeof event === 'string' ? event : JSON.stringify(event));
  }

  /** Waits until `find(this)` gives something. */
  until(find, what) {
    let look;
    const found = new Promise((resolve, reject) => {
      look = () => {
        try {
          const result = find(this);
          if (result !== undefined && result !== false) {
            this.#waiting.delete(look); // later frames of the same batch are not for it
            resolve(result);
          } else if (this.ended) reject(new Error(`closed while waiting for ${what}`));
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.add(look);
      look();
    });
    return within(found, what).finally(() => this.#waiting.delete(look));
  }

  /** The first event of this type that comes at or after `from`. */
  event(type, from = 0) {
    return this.until(() => this.events.slice(from).find((event) => event.type === type), type);
  }

  /** A typed question, and all events up to the end of its answer. */
  async ask(text) {
    const from = this.events.length;
    this.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
    });
    this.send({ type: 'response.create' });
    const done = await this.event('response.done', from);
    return this.events.slice(from, this.events.indexOf(done) + 1);
  }

  async close(code = 1000) {
    this.socket.close(code);
    return within(this.closed, 'close');
  }
}
