// A spoken dialogue as a recording that the simulated provider plays (docs/simulator.md).

const msPerCharacter = 65; // of speech
const samplesPerMs = 24;
const format = { type: 'audio/pcm', rate: 24_000 };

/** A hum of this length, as the provider sends audio. */
function hum(ms) {
  const samples = Int16Array.from({ length: Math.round(ms) * samplesPerMs }, (_, i) =>
    Math.round(6000 * Math.sin(i / 20) * Math.abs(Math.sin(i / 2400))),
  );
  return Buffer.from(samples.buffer).toString('base64');
}

class Recording {
  lines = [];
  #ms = 0;
  #events = 0;
  #turns = 0;
  #previous = null;

  constructor() {
    const audio = {
      input: { format, transcription: { model: 'whisper-1' }, turn_detection: { type: 'server_vad' } },
      output: { format, voice: 'marin' },
    };
    const session = { type: 'realtime', object: 'realtime.session', id: 'sess_1', model: 'gpt-realtime', output_modalities: ['audio'], audio };
    this.#say('session.created', { session });
  }

  #line(dir, event) {
    this.lines.push(JSON.stringify({ t_ms: Math.round(this.#ms), dir, event }));
  }

  #say(type, members) {
    this.#line('s2c', { type, event_id: `event_${++this.#events}`, ...members });
    this.#ms += 5;
  }

  #hear(text) {
    const id = `item_${++this.#turns}`;
    const ms = text.length * msPerCharacter * 0.6; // people speak faster than the simulated voice
    const start = Math.round(this.#ms);
    this.#say('input_audio_buffer.speech_started', { audio_start_ms: start, item_id: id });
    return (then) => {
      then?.();
      this.#ms += ms;
      const item = { id, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_audio', transcript: null }] };
      const previous_item_id = this.#previous;
      this.#say('input_audio_buffer.speech_stopped', { audio_end_ms: Math.round(start + ms), item_id: id });
      this.#say('input_audio_buffer.committed', { previous_item_id, item_id: id });
      this.#say('conversation.item.added', { previous_item_id, item });
      this.#say('conversation.item.done', { previous_item_id, item });
      this.#ms += 300;
      this.#say('conversation.item.input_audio_transcription.completed', {
        item_id: id, content_index: 0, transcript: text, usage: { type: 'duration', seconds: Math.ceil(ms / 1000) },
      });
      this.#previous = id;
    };
  }

  user(text) {
    this.#ms += 700;
    this.#hear(text)();
  }

  #hum(place, ms) {
    for (let rest = ms; rest > 0; rest -= 2000) this.#say('response.output_audio.delta', { ...place, delta: hum(2000) });
  }

  /** `ends`: how, see dialogue(). Without it, the answer is whole, and heard to its end. */
  assistant(text, ends = {}) {
    const item_id = `item_${++this.#turns}`;
    const response_id = `resp_${this.#turns}`;
    const place = { response_id, item_id, output_index: 0, content_index: 0 };
    const item = (status, content) => ({ id: item_id, type: 'message', status, role: 'assistant', content });
    const response = (status, members) => ({
      response: { object: 'realtime.response', id: response_id, status, output: [], output_modalities: ['audio'], ...members },
    });
    const previous_item_id = this.#previous;
    this.#ms += 400;
    this.#say('response.created', response('in_progress', { usage: null }));
    this.#say('response.output_item.added', { response_id, output_index: 0, item: item('in_progress', []) });
    this.#say('conversation.item.added', { previous_item_id, item: item('in_progress', []) });
    this.#say('response.content_part.added', { ...place, part: { type: 'audio', transcript: '' } });
    this.#ms += ends.slowMs ?? 0;
    const generated = this.#ms;
    for (const word of text.match(/\s*\S+/g)) {
      this.#say('response.output_audio_transcript.delta', { ...place, delta: word });
      this.#say('response.output_audio.delta', { ...place, delta: hum(word.length * msPerCharacter) });
      this.#ms += word.length * msPerCharacter * 0.7;
    }
    this.#previous = item_id;
    if (ends.open) return this.#hum(place, ends.humMs ?? 0);
    let cutBy;
    if (ends.talkedOverBy) {
      cutBy = this.#hear(ends.talkedOverBy);
      this.#line('c2s', { type: 'conversation.item.truncate', item_id, content_index: 0, audio_end_ms: ends.heardMs });
    }
    const status = cutBy ? 'incomplete' : 'completed';
    const output = [item(status, [{ type: 'output_audio', transcript: text }])];
    this.#say('response.output_audio.done', place);
    this.#say('response.output_audio_transcript.done', { ...place, transcript: text });
    this.#say('response.content_part.done', { ...place, part: { type: 'audio', transcript: text } });
    this.#say('conversation.item.done', { previous_item_id, item: output[0] });
    this.#say('response.output_item.done', { response_id, output_index: 0, item: output[0] });
    const usage = { total_tokens: 150, input_tokens: 100, output_tokens: 50 };
    const details = cutBy ? { status_details: { type: 'cancelled', reason: 'turn_detected' } } : {};
    this.#say('response.done', response(cutBy ? 'cancelled' : 'completed', { ...details, output, usage }));
    cutBy?.(() => this.#say('conversation.item.truncated', { item_id, content_index: 0, audio_end_ms: ends.heardMs }));
    if (!cutBy) this.#ms += Math.max(0, text.length * msPerCharacter - (this.#ms - generated)); // until it has played
  }
}

/**
 * The text of a recording. Each turn is {user: text} or {assistant: text}. An answer may be
 * `talkedOverBy` a text after `heardMs`, begin only after `slowMs`, or be `open`: then the recording ends within it, and the
 * voice hums on for `humMs`.
 */
export function dialogue(turns) {
  const recording = new Recording();
  for (const { user, assistant, ...ends } of turns) {
    if (user) recording.user(user);
    else recording.assistant(assistant, ends);
  }
  return `${recording.lines.join('\n')}\n`;
}
