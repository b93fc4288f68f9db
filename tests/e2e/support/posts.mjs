// Turns as a writer counts them, and posts of them.
import assert from 'node:assert/strict';

/** Turn `i` of a talk between two: the user's have odd numbers. */
export const line = (i) => ({
  role: i % 2 ? 'user' : 'assistant',
  text: `This is turn ${i} of the talk.`,
  ordinal: i,
});
export const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => line(from + i));
export const texts = (transcript) => transcript.turns.map(({ text }) => text);

/** The id of a session that has been made ahead. */
export async function created(relay, body = {}) {
  const made = await relay.request('/v1/sessions', { method: 'POST', body });
  assert.equal(made.status, 201, made.text);
  return made.json.id;
}

export const post = (relay, id, body, options = {}) =>
  relay.request(`/v1/sessions/${id}/transcript`, { method: 'POST', body, ...options });

export const read = async (relay, id, query = '') =>
  (await relay.request(`/v1/sessions/${id}/transcript${query}`)).json;
