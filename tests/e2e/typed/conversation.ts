// A back end with types that are generated from the API's description. It compiles only while the
// description gives each value that it passes or reads a type of its own.
import createClient from 'openapi-fetch';
import type { components, paths, webhooks } from './api.js';

type Schemas = components['schemas'];
type Message = {
  [Name in keyof webhooks]: webhooks[Name]['post']['requestBody']['content']['application/json'];
}[keyof webhooks];

/** Fails to compile if its argument has no type of its own (`any` or `unknown`). */
type Known<T> = unknown extends T ? never : T;
function known<T>(value: Known<T>): Known<T> {
  return value;
}

export function connect(baseUrl: string, key: string) {
  return createClient<paths>({
    baseUrl,
    headers: { Authorization: `Bearer ${key}` },
    // The filters by metadata are parameters of their own: metadata.course=7.
    querySerializer: { object: { style: 'form', explode: true } },
  });
}
type Api = ReturnType<typeof connect>;

/** A result's data, or the problem's name as an error. */
function dataOf<T>(result: { data?: T; error?: unknown }): T {
  if (result.data === undefined) throw new Error(JSON.stringify(result.error));
  return result.data;
}

export async function prepare(api: Api, user: string) {
  const metadata: Schemas['Metadata'] = { course: '7', scores: [1, 2.5, null], place: { row: 3 } };
  const made = dataOf(await api.POST('/v1/sessions', { body: { user, metadata, private: { grade: 'B' } } }));
  const session: Schemas['ProviderSession'] = {
    type: 'realtime',
    instructions: 'Be brief.',
    output_modalities: ['audio'],
    audio: { input: { turn_detection: { type: 'server_vad', silence_duration_ms: 400 } }, output: { voice: 'marin' } },
    tools: [{ type: 'function', name: 'weather', parameters: { type: 'object', properties: {} } }],
    max_output_tokens: 'inf',
    a_member_of_tomorrow: true,
  };
  const secret = dataOf(
    await api.POST('/v1/realtime/client_secrets', {
      body: {
        session,
        expires_after: { anchor: 'created_at', seconds: 600 },
        verbatim: { user, session_id: made.id, metadata, limits: { tokens: 100_000 }, policy: { locked: 'bound' } },
      },
    }),
  );
  return {
    id: known<string>(made.id),
    token: known<string>(secret.value),
    instructions: known<string | undefined>(secret.session.instructions),
  };
}

export async function find(api: Api, user: string, course: string) {
  const page = dataOf(
    await api.GET('/v1/sessions', {
      params: { query: { status: 'final', user, since: '2020-01-01', limit: 10, metadata: { 'metadata.course': course } } },
    }),
  );
  const ids = page.sessions.map(({ id }) => known<string>(id));
  return { ids, next: known<string | null>(page.next_cursor) };
}

export async function read(api: Api, id: string) {
  const path = { id };
  const session = dataOf(await api.GET('/v1/sessions/{id}', { params: { path } }));
  const transcript = dataOf(
    await api.GET('/v1/sessions/{id}/transcript', { params: { path, query: { attempt: 1, wait: 10 } } }),
  );
  if (typeof transcript === 'string' || !('turns' in transcript)) throw new Error('JSON of one attempt was asked for');
  return {
    scores: known<Schemas['JsonValue'] | undefined>(session.metadata['scores']),
    reason: known<Schemas['CloseReason']>(session.close_reason),
    tokens: known<number>(session.usage.total_tokens),
    audioTokens: known<number | undefined>(session.usage.input_token_details?.audio_tokens),
    audioSeconds: known<number>(session.usage.audio_seconds.output),
    completed: known<number | undefined>(session.responses.by_status.completed),
    turns: transcript.turns.map((turn) => ({
      role: known<'user' | 'assistant' | 'system'>(turn.role),
      text: known<string>(turn.text),
      heard: known<number | undefined>(turn.heard?.audio_ms),
    })),
    tools: transcript.tool_calls.map((call) => ({
      name: known<string>(call.name),
      output: known<string | null>(call.output),
      approved: known<boolean | null | undefined>(call.approval?.approve),
    })),
    gaps: transcript.gaps.map((gap) => known<string>(gap.kind)),
    hash: known<string | undefined>(transcript.receipt?.sha256),
  };
}

/** The name of the problem that an unknown session has. */
export async function missing(api: Api) {
  const { error } = await api.GET('/v1/sessions/{id}', { params: { path: { id: 'none' } } });
  const type: Schemas['Problem']['type'] | undefined = error?.type;
  // Each type is a member of the union: a comparison with another text does not compile.
  if (type === 'urn:verbatim:problem:storage-unavailable') throw new Error('Try again later');
  return known<string | undefined>(type);
}

/** Turns of a copy in the forms that the API accepts. */
export async function complete(api: Api, id: string) {
  const turns: Schemas['PostedTurn'][] = [
    { role: 'user', text: 'As the agent heard it.', ordinal: 90 },
    { role: 'assistant', content: [{ type: 'output_text', text: 'In parts.' }], turnOrder: 91 },
  ];
  const outcome = dataOf(
    await api.POST('/v1/sessions/{id}/transcript', { params: { path: { id } }, body: { writer: 'agent', turns } }),
  );
  return { turns: known<number>(outcome.turns), skipped: outcome.skipped.map(({ why }) => known<string>(why)) };
}

/** One line about a webhook's message; each type has its own data. */
export function describe(message: Message): string {
  const { session_id: id, user, metadata } = message.data;
  const course = known<Schemas['JsonValue'] | undefined>(metadata['course']);
  switch (message.type) {
    case 'session.started':
      return `${id} of ${user}, course ${String(course)}, has begun`;
    case 'session.ended':
    case 'transcript.updated': {
      const texts = message.data.transcript?.turns.map((turn) => known<string>(turn.text)) ?? [];
      return `${id}: ${message.type}, ${String(message.data.close_reason)}: ${texts.join(' / ')}`;
    }
    case 'turn.completed':
      return `${id}: turn ${String(known<string | undefined>(message.data.item_id))}`;
    default: {
      const none: never = message;
      return none;
    }
  }
}
