// WebSockets by hand, byte for byte: frames that no library would send.
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { within } from './process.mjs';

export const text = 1;
export const binary = 2;
export const close = 8;
export const ping = 9;
export const pong = 10;

/** One frame. `head` replaces the first byte; `length` is what it claims, if that is not the truth. */
export function frame(opcode, payload = '', { mask = false, fin = true, head, length } = {}) {
  const data = Buffer.from(payload);
  const claimed = length ?? data.length;
  const first = head ?? ((fin ? 0x80 : 0) | opcode);
  const bit = mask ? 0x80 : 0;
  let header;
  if (claimed < 126) {
    header = Buffer.from([first, bit | claimed]);
  } else if (claimed < 65536) {
    header = Buffer.from([first, bit | 126, claimed >> 8, claimed & 255]);
  } else {
    header = Buffer.alloc(10);
    header.writeUInt16BE((first << 8) | bit | 127);
    header.writeBigUInt64BE(BigInt(claimed), 2);
  }
  if (!mask) return Buffer.concat([header, data]);
  const key = Buffer.from([1, 2, 3, 4]);
  for (let i = 0; i < data.length; ++i) data[i] ^= key[i & 3];
  return Buffer.concat([header, key, data]);
}

/** The frame of a close: code and reason. */
export function closing(code, reason = '') {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
}

/** The common part of both ends: takes frames apart, and waits for them. */
class Wire {
  messages = []; // texts, assembled
  events = [];
  controls = []; // {opcode, payload}
  head = ''; // of the other side's handshake
  ended = false; // nothing more will come
  #bytes = Buffer.alloc(0);
  #parts = [];
  #waiting = new Set();

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (data) => this.#take(data));
    socket.on('error', (error) => (this.error = error));
    this.over = new Promise((resolve) => {
      const end = () => {
        this.ended = true;
        this.#look();
        resolve();
      };
      socket.on('end', end);
      socket.on('close', end);
    });
  }

  get closeCode() {
    const found = this.controls.find(({ opcode }) => opcode === close);
    return found && found.payload.length >= 2 ? found.payload.readUInt16BE() : undefined;
  }

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

  event(type, from = 0) {
    return this.until(() => this.events.slice(from).find((event) => event.type === type), type);
  }

  write(bytes) {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** Cuts the connection with a reset, as a crashed machine's successor or a middle box does. */
  reset() {
    (this.tcp ?? this.socket).resetAndDestroy();
  }

  #look() {
    for (const look of this.#waiting) look();
  }

  #take(data) {
    this.#bytes = this.#bytes.length ? Buffer.concat([this.#bytes, data]) : data;
    if (!this.head) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#bytes.subarray(0, end).toString();
      this.#bytes = this.#bytes.subarray(end + 4);
      this.handshaken?.();
    }
    while (this.#frame());
    this.#look();
  }

  #frame() {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const short = bytes[1] & 127;
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    const masked = bytes[1] & 0x80 ? 4 : 0;
    const start = 2 + extended + masked;
    if (bytes.length < start) return false;
    const length =
      extended === 2 ? bytes.readUInt16BE(2) : extended === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (bytes.length < start + length) return false;
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (masked) for (let i = 0; i < length; ++i) payload[i] ^= bytes[start - 4 + (i & 3)];
    this.#bytes = bytes.subarray(start + length);
    const opcode = bytes[0] & 15;
    if (opcode >= close) {
      this.controls.push({ opcode, payload });
      if (opcode === ping) this.write(frame(pong, payload, { mask: !masked }));
    } else {
      this.#parts.push(payload);
      if (bytes[0] & 0x80) {
        const message = Buffer.concat(this.#parts.splice(0)).toString();
        this.messages.push(message);
        this.events.push(JSON.parse(message));
      }
    }
    return true;
  }
}

/** A client of the relay. */
export class WireClient extends Wire {
  /** The connection, with TLS, and nothing said on it. */
  static async open(t, relay) {
    const { hostname: host, port } = new URL(relay.url);
    const tcp = net.connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
    t.after(() => tcp.destroy());
    tcp.on('error', () => {}); // some tests want a reset
    const socket = tls.connect({ socket: tcp, rejectUnauthorized: false, allowHalfOpen: true });
    const client = new WireClient(socket);
    client.tcp = tcp;
    await within(new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    }), 'TLS handshake');
    return client;
  }

  static upgrade(token, query = '') {
    return (
      `GET /v1/realtime?events=verbatim${query} HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer ${token}\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
    );
  }

  /** In a session; its id is known. */
  static async connect(t, relay, query) {
    const client = await WireClient.open(t, relay);
    client.write(WireClient.upgrade(await relay.mint(), query));
    client.id = (await client.event('verbatim.session')).session_id;
    return client;
  }

  send(event) {
    const message = typeof event === 'string' ? event : JSON.stringify(event);
    this.write(frame(text, message, { mask: true }));
  }
}

/** A provider's end of one connection. */
export class WireProvider extends Wire {
  constructor(socket) {
    super(socket);
    this.asked = new Promise((resolve) => {
      this.handshaken = () => resolve();
    });
  }

  get acceptance() {
    const key = /^sec-websocket-key: *(\S+)/im.exec(this.head)[1];
    const accept = createHash('sha1')
      .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    return (
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`
    );
  }

  async accept() {
    await within(this.asked, "the relay's upgrade request");
    this.write(this.acceptance);
    return this;
  }

  send(event) {
    this.write(frame(text, typeof event === 'string' ? event : JSON.stringify(event)));
  }

  created() {
    this.send({
      type: 'session.created',
      event_id: 'event_created',
      session: { type: 'realtime', id: 'sess_p', audio: { input: { transcription: { model: 'm' } } } },
    });
  }

  /** The beginning of an answer: an item, and a piece of what it says. */
  says(item, delta, n = 0) {
    if (n === 0) {
      this.send({
        type: 'conversation.item.added',
        event_id: `event_${item}_added`,
        previous_item_id: null,
        item: { id: item, type: 'message', role: 'assistant', status: 'in_progress', content: [] },
      });
    }
    this.send({
      type: 'response.output_text.delta',
      event_id: `event_${item}_${n}`,
      response_id: `resp_${item}`,
      item_id: item,
      output_index: 0,
      content_index: 0,
      delta,
    });
  }
}
