// A first conversation through Verbatim with the official SDK. Only the URL differs from a direct connection.
import OpenAI from 'openai';
import {OpenAIRealtimeWS} from 'openai/realtime/ws';
import {explain} from './explain.mjs';

const base = process.env.VERBATIM_URL ?? 'https://127.0.0.1:8443';
const token = process.env.VERBATIM_TOKEN ?? 'development';
const session = `hello_${Date.now()}`;
const client = new OpenAI({baseURL: `${base}/v1?session=${session}`, apiKey: token});
const realtime = await OpenAIRealtimeWS.create(client, {model: 'gpt-realtime'});

function fail(error) {
  console.error(`\n${explain(error, base)}\n\nAll errors: docs/troubleshooting.md`);
  process.exit(1);
}

const happened = (type) => new Promise((resolve) => realtime.once(type, resolve));
realtime.on('error', fail);
realtime.on('response.output_text.delta', (event) => process.stdout.write(event.delta));
await happened('session.created');
realtime.send({type: 'session.update', session: {type: 'realtime', output_modalities: ['text']}});

for (const question of ['Hello! Who are you?', 'And what do you remember of this?']) {
  console.log(`\n> ${question}`);
  realtime.send({type: 'conversation.item.create', item: {
    type: 'message', role: 'user', content: [{type: 'input_text', text: question}]}});
  realtime.send({type: 'response.create'});
  await happened('response.done');
}
realtime.close();

// The development mode needs no credential; any other relay gets the token.
const headers = process.env.VERBATIM_TOKEN ? {authorization: `Bearer ${token}`} : {};
const answer = await fetch(`${base}/v1/sessions/${session}/transcript?format=text&wait=10`, {headers}).catch(fail);
console.log(`\n\n--- stored as ${session} ---\n${await answer.text()}`);
