// An OTLP/HTTP receiver for traces in JSON. It checks the shape of every request against the encoding rules
// of OTLP, and keeps every byte.
//
//   const collector = await Collector.start(t);              // accepts everything
//   const collector = await Collector.start(t, (n) => 503);  // the answer to the n-th request, from 0
import assert from 'node:assert/strict';
import http from 'node:http';
import { within } from './process.mjs';

const hex = (digits) => new RegExp(`^(?!0{${digits}}$)[0-9a-f]{${digits}}$`);
const traceId = hex(32);
const spanId = hex(16);
const nanoseconds = /^[1-9]\d{18}$/; // a 64-bit integer is a string in OTLP's JSON

const kinds = {
  stringValue: (value) => assert.equal(typeof value, 'string'),
  boolValue: (value) => assert.equal(typeof value, 'boolean'),
  intValue: (value) => assert.match(value, /^-?\d+$/),
  arrayValue: ({ values }) => values.forEach(checkValue),
};

function members(object, required, optional = []) {
  for (const name of required) assert.ok(name in object, `${name} is missing in ${JSON.stringify(object)}`);
  for (const name of Object.keys(object)) {
    assert.ok(required.includes(name) || optional.includes(name), `${name} is not a member in OTLP`);
    assert.match(name, /^[a-z][A-Za-z]*$/, 'names are in camelCase');
  }
}

function checkValue(value) {
  const [kind, ...more] = Object.keys(value);
  assert.deepEqual(more, []);
  assert.ok(kinds[kind], `${kind} is not a kind of value`);
  kinds[kind](value[kind]);
}

function checkAttributes(attributes) {
  const names = attributes.map((attribute) => {
    members(attribute, ['key', 'value']);
    checkValue(attribute.value);
    return attribute.key;
  });
  assert.equal(new Set(names).size, names.length, `an attribute comes twice: ${names}`);
}

const plainValue = (value) => {
  if ('intValue' in value) return Number(value.intValue);
  if ('arrayValue' in value) return value.arrayValue.values.map(plainValue);
  return Object.values(value)[0];
};
const asObject = (attributes) => Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)]));

function checkSpan(span) {
  const required = ['traceId', 'spanId', 'name', 'kind', 'startTimeUnixNano', 'endTimeUnixNano'];
  members(span, required, ['parentSpanId', 'flags', 'attributes', 'events', 'status']);
  assert.match(span.traceId, traceId);
  assert.match(span.spanId, spanId);
  if ('parentSpanId' in span) assert.match(span.parentSpanId, spanId);
  assert.ok([1, 2, 3, 4, 5].includes(span.kind));
  assert.match(span.startTimeUnixNano, nanoseconds);
  assert.match(span.endTimeUnixNano, nanoseconds);
  assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano), 'a span ends after its start');
  checkAttributes(span.attributes);
  members(span.status, [], ['code', 'message']);
  for (const event of span.events ?? []) {
    members(event, ['timeUnixNano', 'name'], ['attributes']);
    assert.match(event.timeUnixNano, nanoseconds);
    checkAttributes(event.attributes);
  }
}

/** The spans of a request, as plain values. Throws if the request is not OTLP. */
function read(text) {
  const request = JSON.parse(text);
  members(request, ['resourceSpans']);
  return request.resourceSpans.flatMap((ofResource) => {
    members(ofResource, ['resource', 'scopeSpans']);
    checkAttributes(ofResource.resource.attributes);
    return ofResource.scopeSpans.flatMap((ofScope) => {
      members(ofScope, ['scope', 'spans']);
      return ofScope.spans.map((span) => {
        checkSpan(span);
        return {
          trace: span.traceId,
          id: span.spanId,
          parent: span.parentSpanId,
          name: span.name,
          kind: span.kind,
          start: Number(BigInt(span.startTimeUnixNano) / 1_000_000n),
          end: Number(BigInt(span.endTimeUnixNano) / 1_000_000n),
          failed: span.status.code === 2,
          attributes: asObject(span.attributes),
          events: (span.events ?? []).map((event) => ({
            name: event.name,
            at: Number(BigInt(event.timeUnixNano) / 1_000_000n),
            attributes: asObject(event.attributes),
          })),
          resource: asObject(ofResource.resource.attributes),
        };
      });
    });
  });
}

export class Collector {
  requests = []; // { path, headers, text, spans }, also those that were not accepted
  spans = []; // accepted
  faults = []; // why a request was not OTLP
  #looks = new Set();

  /** `answer(n, response)`: a status, or `undefined` if it has answered by itself or never does. */
  static async start(t, answer = () => 200) {
    const collector = new Collector();
    const server = http.createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (piece) => (text += piece));
      request.on('end', () => collector.#take(request, text, response, answer));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    collector.url = `http://127.0.0.1:${server.address().port}`;
    collector.stop = () => {
      server.closeAllConnections();
      server.close();
    };
    return collector;
  }

  #take(request, text, response, answer) {
    let spans = [];
    try {
      assert.equal(request.method, 'POST');
      assert.equal(request.headers['content-type'], 'application/json');
      spans = read(text);
    } catch (error) {
      this.faults.push(error);
    }
    this.requests.push({ path: request.url, headers: request.headers, text, spans });
    const status = answer(this.requests.length - 1, response);
    if (status === 200) this.spans.push(...spans);
    if (status !== undefined) response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    for (const look of this.#looks) look();
  }

  /** Waits until `find(this)` gives something, and checks that all so far was OTLP. */
  until(find, what) {
    let look;
    const found = new Promise((resolve, reject) => {
      look = () => {
        if (this.faults.length > 0) reject(this.faults[0]);
        const result = find(this);
        if (result !== undefined && result !== false) resolve(result);
      };
      this.#looks.add(look);
      look();
    });
    return within(found, what).finally(() => this.#looks.delete(look));
  }

  /** All accepted spans of a conversation, once its last one is there. */
  async conversation(id) {
    const own = ({ attributes }) => attributes['gen_ai.conversation.id'] === id;
    await this.until(
      ({ spans }) => spans.some((span) => span.name === 'verbatim.session.close' && own(span)),
      `the trace of ${id}`,
    );
    return this.spans.filter(own);
  }
}
