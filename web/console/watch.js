// Follows Server-Sent Events: of a live session, or of a list. Reads them with fetch, because EventSource cannot send
// a key.
import { Refused, call, sessionPath } from './api.js';

const pauses = [500, 1000, 2000, 5000]; // ms between reconnection attempts

/**
 * Calls `receive(name, data)` for each event until the session is final or `signal` aborts. Calls `away(true)` when
 * the connection is lost, and `away(false)` when it is back.
 */
export function watch(id, { attempt, signal, receive, away }) {
  const query = attempt ? `?attempt=${attempt}` : '';
  const isLast = ({ name, data }) => name === 'session' && data.status === 'final';
  return follow(`${sessionPath(id)}/events${query}`, { signal, receive, away, isLast });
}

/** The same for a list: `session` for each one that is new or has changed, `gone` for one that left the page. */
export const watchList = (path, { signal, receive, away }) =>
  follow(path, { signal, receive, away, isLast: () => false });

async function follow(path, { signal, receive, away, isLast }) {
  let last;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const headers = last ? { 'last-event-id': last } : {};
      const answer = await call(path, { headers, signal });
      if (answer.status === 204) return;
      away(false);
      for await (const event of events(answer.body)) {
        failures = 0;
        last = event.id ?? last;
        receive(event.name, event.data);
        if (isLast(event)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      // Retry when the relay is busy or unreachable. Other errors (gone, forbidden, malformed) are permanent.
      if (error instanceof Refused && ((error.status >= 400 && error.status < 500 && error.status !== 429) || error.status === 501))
        throw error;
      away(true);
    }
    await pause(pauses[Math.min(failures++, pauses.length - 1)], signal);
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

/** Parses the events of a stream. */
export async function* events(body) {
  let rest = '';
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll('\r', '')).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parsed(block);
      if (event) yield event;
    }
  }
}

function parsed(block) {
  const fields = { data: [] };
  for (const line of block.split('\n')) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name === 'data') fields.data.push(value);
    else if (name) fields[name] = value;
  }
  if (fields.data.length === 0) return undefined; // a comment that keeps the connection open
  return { name: fields.event, id: fields.id, data: JSON.parse(fields.data.join('\n')) };
}
