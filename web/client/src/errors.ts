// The library's errors: each has a code, a message, and advice.
import type { ClientProblem, ErrorCode, Problem, RemoteProblem, ServerEvent, VerbatimError as Public } from '../core.d.ts';

type Details = Partial<Omit<ClientProblem, 'source' | 'code'>>;

/** Code -> [message, advice]. */
const catalogue: Record<ErrorCode, [string, string]> = {
  aborted: ['close() was called before the conversation was open.', 'Call connect() again to start it.'],
  blocked_by_policy: ['The policy of this page forbids the relay’s address.', 'Add the relay to connect-src of the page’s Content-Security-Policy.'],
  busy: ['The conversation is still ending.', 'Wait until its state is closed.'],
  invalid_options: ['An option is not valid.', 'Correct the option that the message names.'],
  limit_reached: ['The conversation reached a limit.', 'Begin a new conversation, or ask the operator for more.'],
  no_token: ['The page could not get a token.', 'Check the call to your back end.'],
  not_allowed: ['The relay does not admit this page or credential.', 'Check the token and the address.'],
  origin_not_allowed: ['The relay does not know this page’s origin.', 'Add the origin to server.allowed_origins.'],
  provider_failed: ['The voice provider failed.', 'Try again.'],
  refused: ['The relay refused the conversation.', 'Try again later.'],
  relay_failed: ['The relay cannot save the conversation.', 'Try again later.'],
  replaced: ['This conversation was opened elsewhere and continues there.', 'Go on in the other tab.'],
  session_not_found: ['The session does not exist, or belongs to another user.', 'Begin a new conversation.'],
  timeout: ['The conversation did not begin in time.', 'Check the network and the relay, then try again.'],
  token_expired: ['The token is invalid or has expired.', 'Get a new token: pass a function as token.'],
  unreachable: ['The relay cannot be reached, or it refuses the connection.', 'Check the network, the address and the certificate.'],
  unsupported: ['This browser or page cannot use audio.', 'Serve the page by https, and use a current browser.'],
  worklet_failed: ['The audio code could not be loaded.', 'Allow blob: or the relay in script-src, or set workletUrl.'],
  device_lost: ['The microphone was disconnected. Another one is used if there is one.', 'Connect a microphone.'],
  microphone_busy: ['The microphone cannot be used; another program may be using it.', 'Close that program, then choose the microphone again.'],
  microphone_missing: ['The selected microphone was not found.', 'Choose another microphone.'],
  microphone_refused: ['Microphone access was denied.', 'Allow it in the browser’s address bar, then start again.'],
  microphone_waiting: ['The browser still asks whether this page may use the microphone.', 'Answer the browser’s question.'],
  no_backup: ['This browser keeps no copy of the conversation.', 'Do nothing: the relay stores it anyway.'],
  playback_blocked: ['The browser allows sound only after a click.', 'Click on the page, or call resumeAudio() from a click.'],
  speaker_lost: ['The loudspeaker was disconnected. The default one is used.', 'Choose a loudspeaker.'],
  speaker_unavailable: ['The selected loudspeaker cannot be used.', 'Choose another one.'],
  tool_failed: ['A tool failed.', 'See the cause; the model got the error as the tool’s output.'],
  tool_timeout: ['A tool did not finish in time.', 'Make it faster, or raise its timeout.'],
};

export class VerbatimError extends Error implements Public {
  readonly code: ErrorCode;
  readonly advice: string;
  declare readonly reason?: string;
  declare readonly status?: number;
  declare readonly retryAfter?: number;
  declare readonly cause?: unknown;

  constructor(code: ErrorCode, { message, advice, ...details }: Details = {}) {
    super(message ?? catalogue[code][0]);
    this.name = 'VerbatimError';
    this.code = code;
    this.advice = advice ?? catalogue[code][1];
    for (const [name, value] of Object.entries(details)) {
      if (value !== undefined && value !== null) Object.assign(this, { [name]: value });
    }
  }

  get problem(): ClientProblem {
    const { name, message, ...details } = this;
    return { source: 'client', message, ...details } as ClientProblem;
  }
}

/** Any error as one of the library's. `code` is for those that are not. */
export function errorFrom(error: unknown, code: ErrorCode): VerbatimError {
  return error instanceof VerbatimError ? error : new VerbatimError(code, { cause: error, message: `${catalogue[code][0]} ${messageOf(error)}` });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The relay refuses the upgrade in an event, since a page cannot read its status. */
export function refusalOf({ status, code, message, retry_after: retryAfter }: ServerEvent['error']): VerbatimError {
  const details = { message: `${message} (${code})`, reason: code, status, retryAfter };
  if (status === 401) return new VerbatimError('token_expired', details);
  if (status === 403) return new VerbatimError(code === 'origin_not_allowed' ? code : 'not_allowed', details);
  if (code === 'session_not_found') return new VerbatimError(code, details);
  return new VerbatimError(status === 429 ? 'limit_reached' : 'refused', details);
}

/** Reason of the relay for an end -> code. */
const endings: Record<string, ErrorCode> = {
  max_duration: 'limit_reached',
  idle_timeout: 'limit_reached',
  session_expired: 'limit_reached',
  policy: 'refused',
  upstream_lost: 'provider_failed',
  upstream_error: 'provider_failed',
  storage_failure: 'relay_failed',
  token_revoked: 'token_expired',
};

/** An `error` event. The relay names the cause in one before it closes the connection. */
export function problemOf({ event_id: id, error = {} }: ServerEvent): Problem {
  const code = String(error.code ?? error.type);
  const message = String(error.message);
  const own = String(id).startsWith('verbatim_');
  const known = own ? endings[code] : undefined;
  if (known) return new VerbatimError(known, { message, reason: code }).problem;
  const source = own ? 'relay' : 'provider';
  return { source, code, message, advice: `See the documentation of the ${source}’s error codes.` } satisfies RemoteProblem;
}

/** Close codes after which the client does not reconnect. 1000 is not an error. */
const finalCloses: Record<number, ErrorCode | null> = {
  1000: null,
  1008: 'refused',
  4000: 'replaced',
  4001: 'limit_reached',
};

/** Undefined: the client reconnects. Null: the conversation ended normally. */
export function finalClose(code: number, reason: string): VerbatimError | null | undefined {
  const known = finalCloses[code];
  if (!known) return known;
  const message = known === 'replaced' || !reason ? undefined : `${catalogue[known][0]} (${reason})`;
  return new VerbatimError(known, { reason, ...(message ? { message } : {}) });
}
