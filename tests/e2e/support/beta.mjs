// One conversation by a public client of the beta protocol, in a process of its own, as in sdk.mjs. Prints, as
// JSON, what the client received.
//
//   node support/beta.mjs CLIENT URL TOKEN
const [client, url, token] = process.argv.slice(2);
const questions = ['First?', 'Second?', 'Third?'];
const configuration = {
  modalities: ['text', 'audio'],
  instructions: 'Answer.',
  voice: 'echo',
  input_audio_format: 'g711_ulaw',
  output_audio_format: 'pcm16',
  input_audio_transcription: { model: 'whisper-1' },
  turn_detection: null,
  temperature: 0.7,
  max_response_output_tokens: 4096,
};

/** The official package's beta classes: events as they come, nothing kept. */
async function openai(Socket) {
  const { default: OpenAI } = await import('openai');
  const sdk = new OpenAI({ apiKey: token, baseURL: `${url}/v1` });
  const socket = new Socket({ model: 'gpt-realtime', dangerouslyAllowBrowser: true }, sdk);
  const seen = { types: new Set(), answers: [], created: [] };
  let answer;
  const hear = {
    'session.created': () => socket.send({ type: 'session.update', session: configuration }),
    'session.updated': ({ session }) => {
      if (seen.session) throw new Error('an update was answered twice');
      seen.session = session;
      ask();
    },
    'conversation.item.created': ({ item }) => seen.created.push(item),
    'response.created': ({ response }) => {
      answer = { modalities: response.modalities, text: '', transcript: '', audio: 0 };
    },
    'response.text.delta': ({ delta }) => (answer.text += delta),
    'response.audio_transcript.delta': ({ delta }) => (answer.transcript += delta),
    'response.audio.delta': ({ delta }) => (answer.audio += delta.length),
    'response.done': ({ response }) => {
      const [{ content }] = response.output;
      seen.answers.push({ ...answer, status: response.status, content });
      if (seen.answers.length < questions.length) ask();
      else over();
    },
  };
  let over;
  function ask() {
    const text = questions[seen.answers.length];
    const item = { type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
    socket.send({ type: 'conversation.item.create', item });
    const response = seen.answers.length === 1 ? { modalities: ['text'], temperature: 0.7 } : {};
    socket.send({ type: 'response.create', response });
  }
  await new Promise((resolve, reject) => {
    over = resolve;
    socket.on('error', reject);
    socket.on('event', (event) => {
      seen.types.add(event.type);
      hear[event.type]?.(event);
    });
  });
  socket.close();
  return { ...seen, types: [...seen.types].sort() };
}

/** A client that keeps the conversation itself: what is late or has another name is missing in it. */
async function keeper() {
  const { RealtimeClient } = await import('openai-realtime-api');
  const realtime = new RealtimeClient({
    url: `${url.replace(/^http/, 'ws')}/v1/realtime`,
    apiKey: token,
    model: 'gpt-realtime',
    sessionConfig: { instructions: 'Answer.' },
  });
  const errors = [];
  realtime.realtime.on('server.error', ({ error }) => errors.push(error.code));
  let calls = 0;
  const weather = {
    name: 'get_weather',
    description: 'The weather.',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  };
  await realtime.connect();
  await realtime.waitForSessionCreated();
  realtime.addTool(weather, async () => ({ sunny: ++calls === 1 }));

  /** The next finished message of the assistant's; asked for before it can come. */
  const answered = () =>
    new Promise((resolve) => {
      const look = ({ item }) => {
        if (item.role !== 'assistant') return;
        realtime.off('conversation.item.completed', look);
        resolve(item);
      };
      realtime.on('conversation.item.completed', look);
    });
  const done = () => realtime.realtime.waitForNext('server.response.done');
  const ask = async (act) => {
    const both = Promise.all([answered(), done()]);
    act();
    return (await both)[0];
  };
  const type = (text) => realtime.sendUserMessageContent([{ type: 'input_text', text }]);
  for (const text of questions) await ask(() => type(text));
  // A tool call is a response of its own; the words about its output are the next response.
  const spoken = answered();
  type('Call get_weather, please.');
  await done();
  await Promise.all([spoken, done()]);
  // Half a second of loud audio; the client ends the utterance itself.
  const tone = Int16Array.from({ length: 12_000 }, (_, i) => (i % 40 < 20 ? 9000 : -9000));
  const transcribed = realtime.realtime.waitForNext(
    'server.conversation.item.input_audio_transcription.completed',
  );
  const last = await ask(() => {
    realtime.appendInputAudio(tone);
    realtime.createResponse();
  });
  const { transcript: heardAs } = await transcribed;
  // The user heard 100 ms of the last answer: the client truncates it.
  const truncated = realtime.realtime.waitForNext('server.conversation.item.truncated');
  const keptBefore = last.formatted.transcript;
  realtime.cancelResponse(last.id, 2400);
  await truncated;
  const items = realtime.conversation.getItems().map(({ type: kind, role, status, formatted }) => ({
    ...{ kind, role, status, text: formatted.text, transcript: formatted.transcript },
    samples: formatted.audio.length,
  }));
  realtime.disconnect();
  return { items, errors, calls, heardAs, keptBefore, native: Boolean(globalThis.WebSocket) };
}

const clients = {
  'beta-ws': async () => openai((await import('openai/beta/realtime/ws')).OpenAIRealtimeWS),
  'beta-native': async () =>
    openai((await import('openai/beta/realtime/websocket')).OpenAIRealtimeWebSocket),
  keeper,
};
console.log(JSON.stringify(await clients[client]()));
process.exit(0);
