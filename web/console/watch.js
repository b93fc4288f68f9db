// Follows a live session by Server-Sent Events. Reads them with fetch, because EventSource cannot send a key.
import { Refused, call, sessionPath } from './api.js';

const pauses = [500, 1000, 2000, 5000]; // ms between reconnection attempts

/**
 * Calls `receive(name, data)` for each event until the session is final or `signal` aborts. Calls `away(true)` when
 * the connection is lost, and `away(false)` when it is back.
 */
export async function watch(id, { attempt, signal, receive, away }) {
  let last = { id: null, final: false };
  let failures = 0;
  const query = attempt ? `?attempt=${attempt}` : '';
  while (!signal.aborted && !last.final) {
    try {
      const headers = last.id ? { 'last-event-id': last.id } : {};
      const answer = await call(`${sessionPath(id)}/events${query}`, { headers, signal });
      if (answer.status === 204) return;
      away(false);
      for await (const event of events(answer.body)) {
        failures = 0;
        last = { id: event.id ?? last.id, final: event.name === 'session' && event.data.status === 'final' };
        receive(event.name, event.data);
        if (last.final) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      // Retry when the relay is busy or unreachable. Other errors (gone, forbidden, malformed) are permanent.
      if (error instanceof Refused && error.status >= 400 && error.status < 500 && error.status !== 429)
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
