// Captions are read by parsers of other authors.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { parse as parseEither } from '@plussub/srt-vtt-parser';
import { Provider } from './support/provider.mjs';
import { acceptItems, answer } from './support/spoken.mjs';
import { Client, startRelay } from './support/verbatim.mjs';

const require = createRequire(import.meta.url);
const { WebVTTParser } = require('webvtt-parser');
const SrtParser = require('srt-parser-2').default;

/** Texts that people type, and that a careless reader takes for markup. */
const odd = [
  'first line\n\nsecond paragraph',
  'arrow --> here',
  '00:00:01,000 --> 00:00:02,000',
  '--\u0000>',
  '---->',
  '7',
  '7\n00:00:01,000 --> 00:00:02,000\nforged',
  'tabs\tand\u2028line sep\u2029par\u0085nel\u000bvt\u000cff\rcr\r\ncrlf',
  'nul\u0000byte and \u0001\u001b[31m\u007f\u0080\u009f',
  '\u00a0\n\u3000\n\ufeff\nbehind blank lines',
  '<b>bold</b> & <script>',
  '&lt;already&gt; &amp; </v> <c.red> <00:00:01.000>',
  'שלום עולם \u202eright to left',
  '👩‍👩‍👧 family',
  'NOTE this is not a note',
  'STYLE',
  'WEBVTT',
  'X-TIMESTAMP-MAP=LOCAL:00:00:00.000',
  '{\\an8}top',
];

describe('captions', () => {
  let turns, srt, vtt;

  const cleanup = [];
  after(async () => {
    for (const what of cleanup) await what();
  });

  before(async () => {
    const t = { after: (what) => cleanup.push(what) };
    const provider = await Provider.start(t);
    const relay = await startRelay(t, { simulator: provider });
    const connected = provider.line('captions');
    const client = await Client.connectWithId(t, relay, { query: { model: 'captions' } });
    const line = await connected;
    line.say({ type: 'session.created', session: { type: 'realtime', id: 'sess_1' } });
    acceptItems(line);
    answer(line, { id: 'item_a', text: 'An answer that takes twelve seconds.', seconds: 12 });
    answer(line, { id: 'item_b', text: 'Another, at once.', seconds: 3, after: 'item_a' });
    answer(line, { id: 'item_c', text: 'Talked over.', seconds: 9, after: 'item_b', done: false });
    line.say({ type: 'conversation.item.truncated', item_id: 'item_c', content_index: 0, audio_end_ms: 2500 });
    await client.event('conversation.item.truncated');
    for (const text of odd)
      client.send({
        type: 'conversation.item.create',
        item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
      });
    const typed = ({ type, item }) => type === 'conversation.item.done' && item.role === 'user';
    await client.until(({ events }) => events.filter(typed).length === odd.length, 'the typed items');
    client.send({ type: 'verbatim.end' });
    ({ turns } = await relay.transcript(client.id));
    const captions = async (format) =>
      (await relay.request(`/v1/sessions/${client.id}/transcript?format=${format}`)).text;
    [srt, vtt] = await Promise.all([captions('srt'), captions('vtt')]);
  });

  const seconds = (cue) => cue.endSeconds - cue.startSeconds;

  test('SubRip has one block a turn to parsers of others, each with its words', () => {
    const blocks = new SrtParser().fromSrt(srt);
    assert.equal(blocks.length, turns.length);
    assert.deepEqual(
      blocks.map(({ id }) => Number(id)),
      turns.map((_, i) => i + 1),
    );
    const { entries } = parseEither(srt);
    assert.equal(entries.length, turns.length);
    for (const [i, { role }] of turns.entries())
      assert.match(entries[i].text, role === 'user' ? /^User: / : /^Assistant: /);
    assert.ok(entries.every(({ text }) => !text.includes('-->')));
  });

  test('WebVTT is valid to the specification’s own parser, one cue a turn', () => {
    const { cues, errors } = new WebVTTParser().parse(vtt, 'subtitles');
    assert.deepEqual(errors, []);
    assert.equal(cues.length, turns.length);
    assert.equal(parseEither(vtt).entries.length, turns.length);
    for (const { startTime, endTime } of cues) assert.ok(endTime > startTime);
    assert.ok(cues.every(({ startTime }, i) => i === 0 || startTime >= cues[i - 1].startTime));
  });

  test('no control character and no separator of lines is left in captions', () => {
    assert.doesNotMatch(srt + vtt, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/);
  });

  test('the words are those of the transcript, which is kept exactly', () => {
    assert.deepEqual(turns.filter(({ role }) => role === 'user').map(({ text }) => text), odd);
    const { cues } = new WebVTTParser().parse(vtt, 'subtitles');
    const said = (text) => text.replace(/[\s\u0000-\u001f\u007f-\u009f]+/gu, ' ').trim();
    const letters = { lt: '<', gt: '>', amp: '&' };
    const shown = ({ text }) => text.replace(/<[^>]*>/g, '').replace(/&(lt|gt|amp);/g, (_, name) => letters[name]);
    assert.deepEqual(
      cues.slice(-odd.length).map((cue) => said(shown(cue))),
      odd.map(said),
    );
  });

  test('the cue of an answer lasts as long as its audio, until the next one or what was heard', () => {
    const blocks = new SrtParser().fromSrt(srt);
    const [first, second, cut] = blocks;
    // The texts came within moments of each other: each caption ends where the next begins.
    assert.equal(first.endSeconds, second.startSeconds);
    assert.equal(second.endSeconds, cut.startSeconds);
    assert.equal(Math.round(seconds(cut) * 1000), 2500);
  });
});

for (const how of ['ends', 'is killed']) {
  test(`the cue of an answer lasts as long as its audio when the relay ${how} [P7]`, async (t) => {
    const provider = await Provider.start(t);
    const relay = await startRelay(t, { simulator: provider });
    const connected = provider.line('long');
    const client = await Client.connectWithId(t, relay, { query: { model: 'long' } });
    const line = await connected;
    line.say({ type: 'session.created', session: { type: 'realtime', id: 'sess_1' } });
    answer(line, { id: 'item_a', text: 'An answer that takes twelve seconds.', seconds: 12 });
    await client.event('response.done');
    await relay.program.stop(how === 'ends' ? 'SIGTERM' : 'SIGKILL');
    const next = await startRelay(t, { dataDir: relay.dataDir, key: relay.keyPair, simulator: provider });
    await next.transcript(client.id);
    const { text } = await next.request(`/v1/sessions/${client.id}/transcript?format=srt`);
    const [cue] = new SrtParser().fromSrt(text);
    assert.equal(Math.round((cue.endSeconds - cue.startSeconds) * 1000), 12_000);
  });
}
