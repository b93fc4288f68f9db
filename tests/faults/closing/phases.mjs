// The points at which a conversation can end. Each says how to get there and what must be kept: `turns` as
// [role, status, text], `gaps` as kinds. docs/transcript-rules.md has the rules.

const session = {
  type: 'realtime',
  object: 'realtime.session',
  id: 'sess_provider',
  audio: { input: { transcription: { model: 'gpt-realtime-whisper' }, turn_detection: null } },
};

/** The first exchange: a typed question and its whole answer. */
function greet({ line }) {
  line.say({ type: 'session.created', session });
  const content = [{ type: 'input_text', text: 'Hello.' }];
  const item = { id: 'item_u1', type: 'message', role: 'user', status: 'completed', content };
  line.say({ type: 'conversation.item.added', previous_item_id: null, item });
  line.say({ type: 'conversation.item.done', previous_item_id: null, item });
  answer(line, 'a1', 'item_u1', ['Hi', ' there.']);
  finish(line, 'a1', 'item_u1', 'Hi there.');
}
const greeted = [
  ['user', 'completed', 'Hello.'],
  ['assistant', 'completed', 'Hi there.'],
];

function answer(line, name, previous, pieces) {
  const item = {
    id: `item_${name}`,
    type: 'message',
    role: 'assistant',
    status: 'in_progress',
    content: [],
  };
  const at = { response_id: `resp_${name}`, item_id: item.id, output_index: 0, content_index: 0 };
  line.say({
    type: 'response.created',
    response: {
      id: at.response_id,
      object: 'realtime.response',
      status: 'in_progress',
      output: [],
    },
  });
  line.say({
    type: 'response.output_item.added',
    response_id: at.response_id,
    output_index: 0,
    item,
  });
  line.say({ type: 'conversation.item.added', previous_item_id: previous, item });
  line.say({ type: 'response.content_part.added', ...at, part: { type: 'audio', transcript: '' } });
  for (const delta of pieces)
    line.say({ type: 'response.output_audio_transcript.delta', ...at, delta });
}

function endTranscript(line, name, transcript) {
  const at = {
    response_id: `resp_${name}`,
    item_id: `item_${name}`,
    output_index: 0,
    content_index: 0,
  };
  line.say({ type: 'response.output_audio_transcript.done', ...at, transcript });
}

function finish(line, name, previous, transcript) {
  endTranscript(line, name, transcript);
  const content = [{ type: 'output_audio', transcript }];
  const item = {
    id: `item_${name}`,
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content,
  };
  line.say({
    type: 'response.output_item.done',
    response_id: `resp_${name}`,
    output_index: 0,
    item,
  });
  line.say({ type: 'conversation.item.done', previous_item_id: previous, item });
  line.say({
    type: 'response.done',
    response: {
      id: `resp_${name}`,
      object: 'realtime.response',
      status: 'completed',
      output: [item],
    },
  });
}

function speak(line) {
  line.say({ type: 'input_audio_buffer.speech_started', item_id: 'item_u2', audio_start_ms: 800 });
}

function commit(line) {
  line.say({ type: 'input_audio_buffer.speech_stopped', item_id: 'item_u2', audio_end_ms: 1800 });
  line.say({
    type: 'input_audio_buffer.committed',
    item_id: 'item_u2',
    previous_item_id: 'item_a1',
  });
  const content = [{ type: 'input_audio', transcript: null }];
  const item = { id: 'item_u2', type: 'message', role: 'user', status: 'completed', content };
  line.say({ type: 'conversation.item.added', previous_item_id: 'item_a1', item });
  line.say({ type: 'conversation.item.done', previous_item_id: 'item_a1', item });
}

/** The client has got this, so the relay has seen and kept it. */
const arrived =
  (type, test = () => true) =>
  ({ client }) =>
    client.until(({ events }) => events.some((event) => event.type === type && test(event)), type);

export const phases = {
  'before session.created': { turns: [], gaps: [], reach: () => {}, there: () => {} },
  idle: {
    turns: greeted,
    gaps: [],
    reach: greet,
    there: arrived('response.done'),
  },
  'mid user speech': {
    turns: greeted,
    gaps: ['uncommitted_speech'],
    reach(cell) {
      greet(cell);
      speak(cell.line);
    },
    there: arrived('input_audio_buffer.speech_started'),
  },
  'mid transcription delta': {
    turns: [...greeted, ['user', 'interrupted', ' I was say']],
    gaps: ['failed_transcription'],
    reach(cell) {
      greet(cell);
      speak(cell.line);
      commit(cell.line);
      for (const delta of [' I was', ' say']) {
        cell.line.say({
          type: 'conversation.item.input_audio_transcription.delta',
          item_id: 'item_u2',
          content_index: 0,
          delta,
        });
      }
    },
    there: arrived(
      'conversation.item.input_audio_transcription.delta',
      ({ delta }) => delta === ' say',
    ),
  },
  'mid assistant delta': {
    turns: [...greeted, ['assistant', 'interrupted', 'The answer is']],
    gaps: [],
    reach(cell) {
      greet(cell);
      answer(cell.line, 'a2', 'item_a1', ['The answer', ' is']);
    },
    there: arrived('response.output_audio_transcript.delta', ({ delta }) => delta === ' is'),
  },
  'between transcript done and response.done': {
    turns: [...greeted, ['assistant', 'completed', 'The answer is 42.']],
    gaps: [],
    reach(cell) {
      greet(cell);
      answer(cell.line, 'a2', 'item_a1', ['The answer is', ' 42.']);
      endTranscript(cell.line, 'a2', 'The answer is 42.');
    },
    there: arrived('response.output_audio_transcript.done', ({ item_id }) => item_id === 'item_a2'),
  },
  'mid function call': {
    turns: greeted, // tool calls are not turns
    gaps: [],
    reach(cell) {
      greet(cell);
      const item = {
        id: 'item_f1',
        type: 'function_call',
        status: 'in_progress',
        name: 'look',
        call_id: 'call_1',
        arguments: '',
      };
      cell.line.say({
        type: 'response.created',
        response: { id: 'resp_f1', object: 'realtime.response', status: 'in_progress', output: [] },
      });
      cell.line.say({
        type: 'response.output_item.added',
        response_id: 'resp_f1',
        output_index: 0,
        item,
      });
      cell.line.say({ type: 'conversation.item.added', previous_item_id: 'item_a1', item });
      cell.line.say({
        type: 'response.function_call_arguments.delta',
        response_id: 'resp_f1',
        item_id: 'item_f1',
        output_index: 0,
        call_id: 'call_1',
        delta: '{"wh',
      });
    },
    there: arrived('response.function_call_arguments.delta'),
  },
};
