// Reads a recorded conversation, and acts it out as a client.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const recordings = fileURLToPath(new URL('../../recordings', import.meta.url));

/** The lines of a recording, with the event's own bytes: it is the last member of each line. */
export function read(name) {
  const text = readFileSync(join(recordings, `${name}.jsonl`), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => ({
      direction: /"dir":"(s2c|c2s)"/.exec(line)[1],
      bytes: line.slice(line.indexOf('"event":') + '"event":'.length, -1),
    }));
}

/** Events that a recording may lack: the relay's own, and answers to its requests. */
export const isExtra = (bytes) => /^(session\.updated|verbatim\..*)$/.test(JSON.parse(bytes).type);

/** Sends what the client sent, in its place; resolves to the number of frames used up. */
export async function play(client, lines) {
  let matched = 0; // received frames that match the recording
  let seen = 0;
  for (const line of lines) {
    if (line.direction === 'c2s') {
      client.send(line.bytes);
      continue;
    }
    await client.until(({ frames }) => {
      while (seen < frames.length) {
        const frame = frames[seen++];
        if (frame === line.bytes) return true;
        assert.ok(isExtra(frame), `not in the recording here: ${frame.slice(0, 200)}`);
      }
      return false;
    }, `frame ${matched + 1}: ${line.bytes.slice(0, 120)}`);
    ++matched;
  }
  return seen;
}
