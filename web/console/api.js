// The relay's HTTP API: the key where one is wanted, problems in words.
import { ask, forget, key } from './key.js';

/**
 * Where a path of the relay is. A proxy may have put the whole relay below a path of its own, so that
 * nothing may begin at the root of the host: this file's own address says where the relay begins.
 */
export const at = (path) => new URL(`..${path}`, import.meta.url);

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** An answer that is good, or a Refused. A relay that wants a key gets one, if there is one to be had. */
export async function call(path, options = {}) {
  for (let why = 'This relay answers its own back ends only.'; ; why = 'The relay does not know this key.') {
    const tried = key();
    const answer = await attempt(path, options, tried);
    if (answer.status !== 401) {
      if (answer.ok) return answer;
      throw new Refused(answer.status, await detailOf(answer));
    }
    if (tried && tried === key()) forget();
    if (!key() && !(await ask(why))) throw new Refused(401, 'The relay wants a back-end key.');
  }
}

async function attempt(path, { headers = {}, ...options }, secret) {
  try {
    return await fetch(at(path), {
      cache: 'no-cache',
      ...options,
      headers: { ...headers, ...(secret ? { authorization: `Bearer ${secret}` } : {}) },
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused(0, 'The relay can not be reached. Is it running?');
  }
}

async function detailOf(answer) {
  const text = await answer.text();
  try {
    const { detail, error } = JSON.parse(text);
    return detail ?? error?.message ?? text;
  } catch {
    return text || `The relay answered ${answer.status}.`;
  }
}

export const read = async (path, options) => (await call(path, options)).json();

export async function post(path, body) {
  const answer = await call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return answer.json();
}

export const sessionPath = (id) => `/v1/sessions/${encodeURIComponent(id)}`;

/** A client's token for a conversation; for one that is there already, of its own user. */
export async function mint({ model, session, user = 'console' }) {
  const { value } = await post('/v1/realtime/client_secrets', {
    session: { type: 'realtime', ...(model ? { model } : {}) },
    verbatim: { user, ...(session ? { session_id: session } : {}) },
  });
  return value;
}
