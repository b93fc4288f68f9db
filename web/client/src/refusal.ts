// Asks over HTTP why the relay refuses a connection, if the WebSocket did not say it.
import { VerbatimError } from './errors.ts';

const answerMax = 5000; // ms

/** The address of another resource of the same relay. */
export function beside(url: string, path: string): URL {
  const page = new URL(url.replace(/^ws/, 'http'));
  page.pathname = page.pathname.replace(/(\/v1)?\/realtime$/, path);
  page.search = '';
  return page;
}

/** Undefined if the network or the relay is down. */
export async function askForRefusal(url: string, session: string | undefined, credential: string | undefined): Promise<VerbatimError | undefined> {
  try {
    const answer = await fetch(beside(url, `/v1/sessions/${encodeURIComponent(session ?? 'none')}`), {
      headers: credential ? { authorization: `Bearer ${credential}` } : {},
      signal: AbortSignal.timeout(answerMax),
    });
    const { status } = answer;
    if (status === 401) return new VerbatimError('token_expired', { status });
    if (status === 403) return new VerbatimError('not_allowed', { status, message: (await answer.json()).detail });
  } catch {
    // No answer: the caller tries again.
  }
  return undefined;
}
