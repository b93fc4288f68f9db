// A transcription server as OpenAI's API has it, which a test controls. It reads the form, decodes the WAV file and
// hears the tone in it: "tone 440".
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { deadline } from './process.mjs';

/** The parts of a form: name -> {headers, body}. */
function partsOf(type, body) {
  const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(type)[1];
  const parts = {};
  let at = body.indexOf(`--${boundary}`);
  while (true) {
    const begin = at + boundary.length + 2;
    if (body.toString('latin1', begin, begin + 4) === '--\r\n') return parts;
    at = body.indexOf(`\r\n--${boundary}`, begin) + 2;
    assert.ok(at > 1, 'a part without an end');
    const head = body.indexOf('\r\n\r\n', begin);
    const headers = body.toString('latin1', begin, head);
    parts[/ name="(\w+)"/.exec(headers)[1]] = { headers, body: body.subarray(head + 4, at - 2) };
  }
}

/** The tone between the first and the last loud sample, by its zero crossings, and how long it is. */
function heard(wav) {
  assert.equal(wav.toString('latin1', 0, 4) + wav.toString('latin1', 8, 16), 'RIFFWAVEfmt ');
  assert.equal(wav.readUInt16LE(22), 1);
  assert.equal(wav.readUInt16LE(34), 16);
  assert.equal(wav.readUInt32LE(40), wav.length - 44);
  const rate = wav.readUInt32LE(24);
  const samples = Array.from({ length: (wav.length - 44) / 2 }, (_, i) => wav.readInt16LE(44 + 2 * i));
  const loud = samples.map((one) => Math.abs(one) > 1000);
  const [first, last] = [loud.indexOf(true), loud.lastIndexOf(true)];
  let crossings = 0;
  for (let i = first + 1; i <= last; ++i) crossings += samples[i - 1] < 0 !== samples[i] < 0;
  const hertz = Math.round((crossings * rate) / (2 * (last - first)) / 10) * 10;
  return { rate, ms: (1000 * samples.length) / rate, hertz };
}

/**
 * `answer(call)`: what it answers: [status, headers, body], a function that gets the response, or undefined for
 * never. By default it says what it heard.
 */
export class Engine {
  calls = [];
  answer = ({ hertz }) => [200, {}, { text: ` tone ${hertz}.` }];

  static async start(t, port = 0) {
    const engine = new Engine();
    const server = (engine.server = createServer(async (request, response) => {
      const call = { path: request.url, at: Date.now(), authorization: request.headers.authorization };
      request.on('error', () => {});
      response.on('close', () => (call.closed = true));
      const pieces = [];
      try {
        for await (const piece of request) pieces.push(piece);
      } catch {
        return; // the relay has given up
      }
      const parts = partsOf(request.headers['content-type'], Buffer.concat(pieces));
      for (const name of ['model', 'language', 'response_format']) call[name] = parts[name]?.body.toString();
      call.file = /filename="(.+)"/.exec(parts.file.headers)[1];
      Object.assign(call, heard(parts.file.body));
      engine.calls.push(call);
      const answer = await engine.answer(call);
      if (!answer || response.destroyed) return;
      if (typeof answer === 'function') return answer(response);
      const [status, headers, body] = answer;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    }));
    server.requestTimeout = deadline;
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    engine.port = server.address().port;
    engine.url = `http://127.0.0.1:${engine.port}`;
    engine.stop = () => {
      server.closeAllConnections();
      server.close();
    };
    t.after(engine.stop);
    return engine;
  }

  /** The tones of all calls. */
  get tones() {
    return this.calls.map(({ hertz }) => hertz);
  }
}

/** Settings for tests that wait for several tries. */
export const repairedBy = (engine, ...more) => [
  `repair.url=${engine.url}`,
  'repair.allow_private=true',
  'repair.retry_min=10ms',
  'repair.retry_max=40ms',
  'repair.attempts_max=3',
  ...more,
];
