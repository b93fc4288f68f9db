// A first conversation through Verbatim with the official SDK. Only the URL differs from a direct connection.
import OpenAI from 'openai';
import {OpenAIRealtimeWS} from 'openai/realtime/ws';

const base = process.env.VERBATIM_URL ?? 'https://127.0.0.1:8443';
const session = `hello_${Date.now()}`;
const client = new OpenAI({
  baseURL: `${base}/v1?session=${session}`,
  apiKey: process.env.VERBATIM_TOKEN ?? 'development',
});
const realtime = await OpenAIRealtimeWS.create(client, {model: 'gpt-realtime'});

const happened = (type) => new Promise((resolve) => realtime.once(type, resolve));
realtime.on('error', (error) => { console.error(error); process.exit(1); });
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

const answer = await fetch(`${base}/v1/sessions/${session}/transcript?format=text&wait=10`);
console.log(`\n\n--- stored as ${session} ---\n${await answer.text()}`);
