// Unusual client frames: none ends the conversation; each is relayed, or refused with a message.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

const clear = '{"type":"input_audio_buffer.clear"}';

/** Frames, and whether the provider gets them, byte for byte. */
const frames = {
  'white space around': [`\r\n\t  ${clear}  \r\n`, true],
  'a type behind 200 kB': [`{"x":"${'x'.repeat(200_000)}","type":"input_audio_buffer.clear"}`, true],
  'an event_id that is a number': [clear.replace('{', '{"event_id":7,'), true],
  'an event_id that is null': [clear.replace('{', '{"event_id":null,'), true],
  'members that no protocol knows': [clear.replace('{', '{"a":[{},[1,{"b":null}]],"":"",'), true],
  'a number beyond any machine': [clear.replace('{', '{"n":-1e99999,'), true],
  'half a surrogate pair': [clear.replace('{', '{"s":"\\ud800",'), true],
  // A frame that two parsers could read differently is refused.
  'a type written with escapes': [clear.replace('t', '\\u0074'), false],
  'a value written with escapes': [clear.replace('.', '\\u002e'), false],
  'a type that stands twice': [clear.replace('{', '{"type":"response.create",'), false],
  'a byte order mark': [`\ufeff${clear}`, false],
  'two events in one frame': [clear + clear, false],
  'lines of events': [`${clear}\n${clear}`, false],
  'an array of events': [`[${clear}]`, false],
  'an event in a string': [JSON.stringify(clear), false],
  'an empty frame': ['', false],
  'white space alone': [' \r\n\t', false],
  'an empty object': ['{}', false],
  'an empty array': ['[]', false],
  'null': ['null', false],
  'a number': ['7', false],
  'not JSON': ['ping', false],
  'single quotes': [clear.replaceAll('"', "'"), false],
  'a comma at the end': [clear.replace('}', ',}'), false],
  'a comment': [`/* hello */${clear}`, false],
  'a NUL behind': [`${clear}\0`, false],
  'NaN': [clear.replace('{', '{"n":NaN,'), false],
  'a raw control character': [clear.replace('{', '{"s":"\x01",'), false],
  'half of an event': [clear.slice(0, -5), false],
  'nested deeper than a stack': ['['.repeat(200_000), false],
  'a type that is a number': ['{"type":7}', false],
  'a type that is null': ['{"type":null}', false],
  'an empty type': ['{"type":""}', false],
  'an application ping': ['{"type":"ping"}', false],
  'a type of another case': [clear.replace('input', 'Input'), false],
  'JSON in a binary frame': [Buffer.from(clear), false],
  'a binary frame of anything': [Buffer.from([0, 255, 0, 254]), false],
  'an empty binary frame': [Buffer.alloc(0), false],
};

describe('odd frames of a client', () => {
  let relay;
  let received;
  const cleanup = [];
  const file = { after: (what) => cleanup.unshift(what) };
  before(async () => {
    received = join(temporaryDirectory(file), 'received');
    relay = await startRelay(file, { simulator: await startSimulator(file, ['--received', received]) });
  });
  after(async () => {
    for (const what of cleanup) await what();
  });

  for (const [name, [frame, relayed]] of Object.entries(frames)) {
    test(`the conversation goes on after ${name} [P9][P11]`, async (t) => {
      const client = await Client.connectWithId(t, relay);
      await client.event('session.created');
      const before = readFileSync(received, 'utf8').length;
      client.socket.send(frame);
      const events = await client.ask('Still there?');
      assert.equal(events.at(-1).response.status, 'completed');
      const refusal = client.events.find(({ type }) => type === 'error');
      const lines = readFileSync(received, 'utf8').slice(before).split('\n').filter(Boolean);
      assert.equal(lines.includes(String(frame).replaceAll('\n', ' ')), relayed);
      if (relayed) return;
      assert.equal(refusal?.error.type, 'invalid_request_error');
      assert.ok(refusal.error.code && refusal.error.message.length > 10, JSON.stringify(refusal));
    });
  }
});
