// One conversation by a public SDK, in a process of its own, because Node reads the trusted certificate
// (NODE_EXTRA_CA_CERTS) when it starts. Prints, as JSON, what the SDK received.
//
//   node support/sdk.mjs CLIENT URL TOKEN
const [client, url, token] = process.argv.slice(2);
const questions = ['First?', 'Second?', 'Third?'];

function message(text) {
  return {
    type: 'conversation.item.create',
    item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
  };
}

async function openai(Socket) {
  const { default: OpenAI } = await import('openai');
  const sdk = new OpenAI({ apiKey: token, baseURL: `${url}/v1` });
  const socket = new Socket({ model: 'gpt-realtime', dangerouslyAllowBrowser: true }, sdk);
  const types = [];
  const answers = [];
  await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('event', (event) => {
      types.push(event.type);
      if (event.type === 'response.done') answers.push(event.response.status);
      if (!['session.created', 'response.done'].includes(event.type)) return;
      if (answers.length === questions.length) return resolve();
      socket.send(message(questions[answers.length]));
      socket.send({ type: 'response.create' });
    });
  });
  socket.close();
  return { first: types[0], answers };
}

/** Its connection is cut at every answer; the SDK comes back by itself, and asks the next question. */
async function dropped() {
  const { default: OpenAI } = await import('openai');
  const { OpenAIRealtimeWS } = await import('openai/realtime/ws');
  const sdk = new OpenAI({ apiKey: token, baseURL: `${url}/v1` });
  const socket = new OpenAIRealtimeWS({ model: 'gpt-realtime', reconnect: true }, sdk);
  const answers = [];
  const known = [];
  let reconnected = 0;
  await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('reconnected', () => ++reconnected);
    socket.on('conversation.item.added', ({ item }) => known.push(item.id));
    const ask = () => {
      socket.send(message(questions[answers.length]));
      socket.send({ type: 'response.create' });
    };
    socket.on('session.created', ask);
    socket.on('response.done', ({ response }) => {
      answers.push(response.status);
      if (answers.length === questions.length) return resolve();
      socket.socket.terminate();
    });
  });
  socket.close();
  return { answers, reconnected, repeated: known.length - new Set(known).size };
}

async function agents() {
  const { RealtimeAgent, RealtimeSession } = await import('@openai/agents-realtime');
  const agent = new RealtimeAgent({ name: 'test', instructions: 'Answer.' });
  const session = new RealtimeSession(agent, { transport: 'websocket', model: 'gpt-realtime' });
  const answers = [];
  const over = new Promise((resolve, reject) => {
    session.on('error', ({ error }) => reject(new Error(JSON.stringify(error))));
    session.transport.on('*', (event) => {
      if (event.type !== 'response.done') return;
      answers.push(event.response.status);
      if (answers.length === questions.length) resolve();
      else session.sendMessage(questions[answers.length]);
    });
  });
  await session.connect({ apiKey: token, url: `${url.replace(/^http/, 'ws')}/v1/realtime` });
  session.sendMessage(questions[0]);
  await over;
  const history = session.history.map(({ role }) => role);
  session.close();
  return { answers, history };
}

/** Comes back to a conversation that was spoken: what the SDK shows of what its user has said. */
async function returned() {
  const { RealtimeAgent, RealtimeSession } = await import('@openai/agents-realtime');
  const agent = new RealtimeAgent({ name: 'test', instructions: 'Answer.' });
  const session = new RealtimeSession(agent, { transport: 'websocket', model: 'gpt-realtime' });
  const said = () =>
    session.history
      .filter(({ role }) => role === 'user')
      .map(({ content }) => content.map(({ transcript, text }) => transcript ?? text ?? '').join(''));
  const over = new Promise((resolve, reject) => {
    session.on('error', ({ error }) => reject(new Error(JSON.stringify(error))));
    session.on('history_updated', () => said().length >= 2 && said().every(Boolean) && resolve());
  });
  await session.connect({ apiKey: token, url: `${url.replace(/^http/, 'ws')}/v1/realtime` });
  await over;
  const types = session.history.map(({ content }) => content?.[0]?.type);
  session.close();
  return { said: said(), types };
}

const clients = {
  ws: async () => openai((await import('openai/realtime/ws')).OpenAIRealtimeWS),
  native: async () => openai((await import('openai/realtime/websocket')).OpenAIRealtimeWebSocket),
  dropped,
  agents,
  returned,
};
console.log(JSON.stringify(await clients[client]()));
process.exit(0);
