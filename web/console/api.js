// Calls the relay's HTTP API: adds the key if one is required, and turns error answers into messages.
import { ask, forget, key } from './key.js';

/**
 * The URL of a path of the relay. A proxy may serve the relay below a path prefix, so URLs are relative to
 * this file's own address, never to the root of the host.
 */
export const at = (path) => new URL(`..${path}`, import.meta.url);

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Returns a successful answer or throws Refused. Asks the user for a key if the relay requires one. */
export async function call(path, options = {}) {
  for (let why = 'This relay requires a back-end key.'; ; why = 'The relay rejected this key.') {
    const tried = key();
    const answer = await attempt(path, options, tried);
    if (answer.status !== 401) {
      if (answer.ok) return answer;
      throw new Refused(answer.status, await detailOf(answer));
    }
    if (tried && tried === key()) forget();
    if (!key() && !(await ask(why))) throw new Refused(401, 'The relay requires a back-end key.');
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
    throw new Refused(0, 'The relay cannot be reached. Is it running?');
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

/**
 * Mints a client token for a conversation. For an existing session, `user` must be the session's user. `terms` are
 * further members of the token's `verbatim` object.
 */
export async function mint({ model, session, user = 'console', terms = {} }) {
  const { value } = await post('/v1/realtime/client_secrets', {
    session: { type: 'realtime', ...(model ? { model } : {}) },
    verbatim: { user, ...(session ? { session_id: session } : {}), ...terms },
  });
  return value;
}
