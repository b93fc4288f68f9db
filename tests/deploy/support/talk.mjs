// A client that survives a handover. It asks, waits until the relay sends it away, comes back, asks again, and
// prints the transcript. package.mjs and image.mjs run it in the network of a machine. With a back end's key in
// VERBATIM_KEY it uses a client token, without one the development mode.
import { Client, request } from '../../e2e/support/verbatim.mjs';
import { eventually } from './programs.mjs';

const url = 'https://127.0.0.1:8443';
const relay = { url, wsUrl: `${url.replace('http', 'ws')}/v1/realtime` };
const scope = { after() {} };
const key = process.env.VERBATIM_KEY;
const token = key ? await minted() : null;
const connect = (query) => Client.connectWithId(scope, relay, { token, query });

const first = await connect({});
await first.ask('Before the upgrade?');
console.log('asked');
const { code } = await Promise.race([first.closed, new Promise((resolve) => setTimeout(resolve, 60_000, { code: 'none' }))]);
const again = await eventually(() => connect({ session: first.id }).catch(() => undefined), 'the client comes back');
await again.ask('After the upgrade?');
await again.close();
const { json } = await request(`${url}/v1/sessions/${first.id}/transcript?wait=10`, { key });
console.log(JSON.stringify({ code, id: first.id, attempt: json.attempt, turns: json.turns.map(({ role, text }) => ({ role, text })) }));
process.exit(0);

async function minted() {
  const body = { session: { type: 'realtime' }, verbatim: {} };
  const { status, text, json } = await request(`${url}/v1/realtime/client_secrets`, { method: 'POST', body, key });
  if (status !== 200) throw new Error(`no token: ${status} ${text}`);
  return json.value;
}
