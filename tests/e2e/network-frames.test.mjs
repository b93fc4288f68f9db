// Frames that no library writes: cut at every byte, in fragments, or against the rules. A correct frame gives
// the same result however it arrives; a wrong one ends its own session.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Cell, sharedSimulator } from './support/cell.mjs';
import { WireClient, close, closing, frame, ping, text } from './support/wire.mjs';

const simulator = sharedSimulator();

/** A message in three fragments with a ping between them, one in one frame, one of more than 126 bytes. */
function sequence(messages, mask) {
  const [first, second, third] = messages.map((message) => Buffer.from(message));
  return Buffer.concat([
    frame(text, first.subarray(0, 5), { mask, fin: false }),
    frame(0, first.subarray(5, 9), { mask, fin: false }),
    frame(ping, 'between', { mask }),
    frame(0, first.subarray(9), { mask }),
    frame(text, second, { mask }),
    frame(text, third, { mask }),
  ]);
}

describe('frames', { concurrency: 4 }, () => {
  test("a client's messages arrive the same wherever their bytes are cut [P9]", async (t) => {
    const cell = await Cell.start(t, simulator);
    const { client, provider } = await cell.wired();
    const messages = [
      JSON.stringify({ type: 'response.cancel', event_id: 'Grüße 😀' }),
      '{"type":"input_audio_buffer.clear"}',
      JSON.stringify({ type: 'input_audio_buffer.append', audio: 'A'.repeat(200) }),
    ];
    const bytes = sequence(messages, true);
    const before = provider.messages.length;
    // Each write is a TLS record, and each record is read separately.
    for (let cut = 0; cut <= bytes.length; ++cut) {
      if (cut > 0) client.write(bytes.subarray(0, cut));
      if (cut < bytes.length) client.write(bytes.subarray(cut));
    }
    const count = 3 * (bytes.length + 1);
    await cell.meanwhile(
      provider.until(() => provider.messages.length >= before + count, 'every message'), 'all the cuts');
    const came = provider.messages.slice(before);
    assert.equal(came.length, count);
    came.forEach((message, i) => assert.equal(message, messages[i % 3]));
    const pings = bytes.length + 1;
    await cell.meanwhile(
      client.until(() => client.controls.length >= pings, 'a pong for each ping'), 'the pongs');
    assert.equal(client.controls.length, pings);
    client.reset();
    await cell.end();
  });

  test("a provider's messages arrive the same wherever their bytes are cut [P9]", async (t) => {
    const cell = await Cell.start(t, simulator, { secure: true });
    const { client, provider } = await cell.wired();
    const delta = (item, words, n) => JSON.stringify({
      type: 'response.output_text.delta', event_id: `event_${item}_${n}`, response_id: 'resp_1',
      item_id: item, output_index: 0, content_index: 0, delta: words });
    const sent = [];
    const before = client.messages.length;
    const words = 'Grüße 😀, wherever it is cut';
    let length = 0;
    for (let cut = 0; cut <= length; ++cut) {
      const item = `item_${String(cut).padStart(4, '0')}`;
      const placed = JSON.stringify({
        type: 'conversation.item.added', event_id: `event_${item}`,
        item: { id: item, type: 'message', role: 'assistant', status: 'in_progress', content: [] } });
      const messages = [placed, delta(item, words.slice(0, 9), 1), delta(item, words.slice(9), 2)];
      sent.push(...messages);
      const bytes = sequence(messages, false);
      length = bytes.length;
      if (cut > 0) provider.write(bytes.subarray(0, cut));
      if (cut < length) provider.write(bytes.subarray(cut));
    }
    await cell.meanwhile(
      client.until(() => client.messages.filter((m) => !m.includes('verbatim.')).length >= before - 1 + sent.length, 'every message'),
      'all the cuts');
    const came = client.messages.slice(before).filter((message) => !message.includes('"verbatim.'));
    assert.deepEqual(came, sent);
    client.reset();
    const { turns } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
    assert.equal(turns.length, length + 1);
    for (const turn of turns) assert.equal(turn.text, words);
    await cell.end();
  });

  const wrong = [
    ['no mask', 1002, frame(text, '{"type":"input_audio_buffer.clear"}')],
    ['a reserved bit', 1002, frame(text, '{}', { mask: true, head: 0xc1 })],
    ['an unknown opcode', 1002, frame(3, 'x', { mask: true })],
    ['an unknown control frame', 1002, frame(11, 'x', { mask: true })],
    ['a control frame of 126 bytes', 1002, frame(ping, 'x'.repeat(126), { mask: true })],
    ['a control frame in fragments', 1002, frame(ping, 'x', { mask: true, fin: false })],
    ['a continuation of nothing', 1002, frame(0, 'x', { mask: true })],
    ['a message within a message', 1002, Buffer.concat([
      frame(text, '{', { mask: true, fin: false }), frame(text, '}', { mask: true })])],
    ['a close frame of one byte', 1002, frame(close, 'x', { mask: true })],
    ['a close code that no peer may send', 1002, frame(close, closing(1005), { mask: true })],
    ['a length that needs no 63 bits', 1002, Buffer.concat([
      Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4]), Buffer.from('x')])],
    ['a length beyond 63 bits', 1002, Buffer.from([0x81, 0xff, ...Array(8).fill(0xff), 1, 2, 3, 4])],
    ['text that is not UTF-8', 1007, frame(text, Buffer.from([0x22, 0xc3, 0x28, 0x22]), { mask: true })],
    ['text that ends in half a character', 1007, frame(text, Buffer.from([0x22, 0xf0, 0x9f]), { mask: true })],
    ['text that was cut between fragments and goes on wrong', 1007, Buffer.concat([
      frame(text, Buffer.from([0xe2]), { mask: true, fin: false }), frame(0, 'a', { mask: true })])],
  ];
  test('frames against the rules end only their sender, with the right code [P11]', async (t) => {
    const cell = await Cell.start(t, simulator);
    await cell.meanwhile(Promise.all(wrong.map(async ([what, code, bytes]) => {
      const client = await WireClient.connect(t, cell.relay);
      await client.event('session.created');
      client.write(bytes);
      await client.until(({ closeCode }) => closeCode, `${code} for ${what}`);
      assert.equal(client.closeCode, code, what);
      assert.equal(client.events.at(-1).type, 'verbatim.ended', what);
      assert.ok(client.events.some(({ error }) => error?.code === 'policy'), what);
      const { close_reason } = await cell.relay.transcript(client.id);
      assert.equal(close_reason, 'policy', what);
      client.socket.end();
    })), 'every wrong frame');
    await cell.end();
  });
});
