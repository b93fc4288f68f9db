// A web page that follows a session: Server-Sent Events as a browser reads them, in order.
import http from 'node:http';
import https from 'node:https';
import { within } from './process.mjs';

export class Watcher {
  events = []; // {event, data, id}, data parsed
  comments = 0;
  turns = []; // as a page keeps them: by ordinal
  #text = '';
  #waiting = new Set();

  /** `lastEventId` resumes. Rejects unless the answer is a stream; `expect` gives any answer. */
  static open(t, relay, id, { query = '', ...options } = {}) {
    return Watcher.at(t, relay, `/v1/sessions/${id}/events${query}`, options);
  }

  /** The stream at another path. */
  static async at(t, relay, path, { lastEventId, key = relay.key, headers = {} } = {}) {
    const watcher = new Watcher();
    const url = `${relay.url}${path}`;
    const transport = url.startsWith('https') ? https : http;
    const answered = new Promise((resolve, reject) => {
      watcher.request = transport.get(url, {
        agent: false,
        rejectUnauthorized: false,
        headers: {
          accept: 'text/event-stream',
          ...(key ? { authorization: `Bearer ${key}` } : {}),
          ...(lastEventId ? { 'last-event-id': lastEventId } : {}),
          ...headers,
        },
      }, resolve);
      watcher.request.on('error', reject);
    });
    t.after(() => watcher.close());
    const answer = await within(answered, url);
    watcher.request.on('error', () => {}); // an end event follows
    watcher.answer = answer;
    watcher.status = answer.statusCode;
    watcher.over = new Promise((resolve) => {
      answer.on('close', () => {
        watcher.ended = true;
        for (const look of watcher.#waiting) look();
        resolve();
      });
    });
    answer.setEncoding('utf8').on('data', (piece) => watcher.#take(piece));
    answer.on('error', () => {});
    if (watcher.status !== 200) {
      await within(watcher.over, 'its answer');
      watcher.text = watcher.#text;
    }
    return watcher;
  }

  #take(piece) {
    this.#text += piece;
    if (this.status !== 200) return;
    for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
      const block = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      this.#add(block);
    }
    for (const look of this.#waiting) look();
  }

  #add(block) {
    const fields = Object.fromEntries(block.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
    }));
    if ('' in fields) return void ++this.comments;
    if (fields.data === undefined) return;
    if (fields.id) this.lastEventId = fields.id;
    const data = JSON.parse(fields.data);
    this.events.push({ event: fields.event, data, id: fields.id });
    if (fields.event === 'turn') this.turns[data.ordinal - 1] = data;
    else if (data.turns !== undefined) this.turns.length = Math.min(this.turns.length, data.turns);
  }

  /** Waits until `find(this)` gives something. */
  until(find, what) {
    let look;
    const found = new Promise((resolve, reject) => {
      look = () => {
        const result = find(this);
        if (result) resolve(result);
        else if (this.ended) reject(new Error(`ended while waiting for ${what}`));
      };
      this.#waiting.add(look);
      look();
    });
    return within(found, what).finally(() => this.#waiting.delete(look));
  }

  session(status) {
    return this.until(
      ({ events }) => events.findLast(({ event, data }) => event === 'session' && data.status === status),
      `session ${status}`);
  }

  text(words) {
    return this.until(({ turns }) => turns.find((turn) => turn?.text === words), `the words ${words}`);
  }

  close() {
    this.request.destroy();
  }
}
