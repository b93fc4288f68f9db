// A provider that a test controls: a real WebSocket server that sends what the test says. One server handles
// many conversations, each known by the model that its client names.
import { WebSocketServer } from 'ws';

/** One conversation's connection, as the provider has it. */
class Line {
  #events = 0;

  constructor(socket, model) {
    Object.assign(this, { socket, model });
    socket.on('error', () => {});
  }

  /** Sends it as its own text, with an id that nothing else has. */
  say(event) {
    this.socket.send(
      JSON.stringify({ ...event, event_id: `event_${this.model}_${++this.#events}` }),
    );
  }

  /**
   * Begins with `session`, and accepts the rebuild that a relay sends on a new connection, as the
   * provider does. Returns the list of received events, which grows as they arrive.
   */
  takeRebuild(session) {
    const got = [];
    let last = null;
    this.socket.on('message', (data) => {
      const event = JSON.parse(data);
      got.push(event);
      if (event.type === 'session.update') this.say({ type: 'session.updated', session: event.session });
      if (event.type !== 'conversation.item.create') return;
      this.say({ type: 'conversation.item.added', previous_item_id: last, item: event.item });
      this.say({ type: 'conversation.item.done', previous_item_id: last, item: event.item });
      last = event.item.id;
    });
    this.say({ type: 'session.created', session });
    return got;
  }

  close(code, reason) {
    this.socket.close(code, reason);
  }

  /** Without a close frame. */
  vanish() {
    this.socket.terminate();
  }

  get gone() {
    return this.socket.readyState !== this.socket.OPEN;
  }
}

export class Provider {
  #lines = new Map();
  #waiting = new Map();

  static async start(scope) {
    const provider = new Provider();
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    await new Promise((resolve) => server.on('listening', resolve));
    scope.after(() => {
      for (const socket of server.clients) socket.terminate();
      server.close();
    });
    server.on('connection', (socket, request) => {
      const model = new URL(request.url, 'ws://provider').searchParams.get('model');
      const line = new Line(socket, model);
      const waiting = provider.#waiting.get(model);
      if (waiting) waiting(line);
      else provider.#lines.set(model, line);
      provider.#waiting.delete(model);
    });
    provider.stop = () => {
      server.close();
      for (const socket of server.clients) socket.terminate();
    };
    provider.url = `ws://127.0.0.1:${server.address().port}/v1/realtime`;
    return provider;
  }

  /** The connection of the conversation with this model's name, as soon as it is there. */
  line(model) {
    const line = this.#lines.get(model);
    this.#lines.delete(model);
    return line ?? new Promise((resolve) => this.#waiting.set(model, resolve));
  }
}
