// A provider's events for one answer, one tool call, one typed item: for a Line of provider.mjs.

const secondOfAudio = Buffer.alloc(48_000).toString('base64'); // 16-bit PCM at 24 kHz

/** A spoken answer with `seconds` of audio, sent as fast as possible. */
export function answer(line, { id, response = `resp_${id}`, after = null, text, seconds = 0, done = true }) {
  const at = { response_id: response, item_id: id, output_index: 0, content_index: 0 };
  const item = { id, type: 'message', role: 'assistant', status: 'in_progress', content: [] };
  line.say({ type: 'response.created', response: { id: response, conversation_id: 'conv_1', output: [] } });
  line.say({ type: 'response.output_item.added', response_id: response, output_index: 0, item });
  line.say({ type: 'conversation.item.added', previous_item_id: after, item });
  line.say({ type: 'response.output_audio_transcript.delta', ...at, delta: text });
  for (let i = 0; i < seconds; ++i) line.say({ type: 'response.output_audio.delta', ...at, delta: secondOfAudio });
  if (!done) return;
  line.say({ type: 'response.output_audio_transcript.done', ...at, transcript: text });
  const content = [{ type: 'output_audio', transcript: text }];
  end(line, response, { ...item, status: 'completed', content }, after);
}

/** The response's only item is whole, and so is the response. */
export function end(line, response, item, after) {
  line.say({ type: 'conversation.item.done', previous_item_id: after, item });
  line.say({ type: 'response.output_item.done', response_id: response, output_index: 0, item });
  line.say({
    type: 'response.done',
    response: { id: response, conversation_id: 'conv_1', status: 'completed', output: [item] },
  });
}

/** A function call with its arguments in pieces. */
export function functionCall(line, { id, callId, name, args, after = null, done = true }) {
  const response = `resp_${id}`;
  const item = { id, type: 'function_call', status: 'in_progress', call_id: callId, name, arguments: '' };
  const at = { response_id: response, item_id: id, output_index: 0, call_id: callId };
  line.say({ type: 'response.created', response: { id: response, conversation_id: 'conv_1', output: [] } });
  line.say({ type: 'response.output_item.added', response_id: response, output_index: 0, item });
  line.say({ type: 'conversation.item.added', previous_item_id: after, item });
  for (let at0 = 0; at0 < args.length; at0 += 16_384)
    line.say({ type: 'response.function_call_arguments.delta', ...at, delta: args.slice(at0, at0 + 16_384) });
  if (!done) return;
  line.say({ type: 'response.function_call_arguments.done', ...at, name, arguments: args });
  end(line, response, { ...item, status: 'completed', arguments: args }, after);
}

/** Takes what a client creates, as the provider does: what has no id is given one. */
export function acceptItems(line) {
  let made = 0;
  line.socket.on('message', (data) => {
    const event = JSON.parse(data);
    if (event.type === 'session.update') line.say({ type: 'session.updated', session: event.session });
    if (event.type !== 'conversation.item.create') return;
    const item = { status: 'completed', id: `item_made_${++made}`, ...event.item };
    const placed = { previous_item_id: event.previous_item_id ?? 'unknown', item };
    line.say({ type: 'conversation.item.added', ...placed });
    line.say({ type: 'conversation.item.done', ...placed });
  });
}
