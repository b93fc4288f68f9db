// Public types of the library's core: the conversation without microphone, loudspeaker and backup.

export type State = 'idle' | 'connecting' | 'open' | 'reconnecting' | 'closing' | 'closed';

export interface Turn {
  readonly itemId: string;
  readonly role: 'user' | 'assistant';
  readonly text: string;
  readonly status: 'in_progress' | 'completed' | 'interrupted' | 'truncated' | 'cancelled' | 'failed';
  /** ISO 8601, by the clock of this page. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** For an answer that was talked over. `text` is null if the length of its audio is not known. */
  readonly heard: { readonly audioMs: number; readonly text: string | null } | null;
  readonly responseId: string | null;
  readonly deleted?: boolean;
}

/** Codes of the library's own errors. docs/troubleshooting.md explains each. */
export type ErrorCode =
  // connect() rejects with one of these, or the conversation ends with it
  | 'aborted'
  | 'blocked_by_policy'
  | 'busy'
  | 'invalid_options'
  | 'limit_reached'
  | 'no_token'
  | 'not_allowed'
  | 'origin_not_allowed'
  | 'provider_failed'
  | 'refused'
  | 'relay_failed'
  | 'replaced'
  | 'session_not_found'
  | 'timeout'
  | 'token_expired'
  | 'unreachable'
  | 'unsupported'
  | 'worklet_failed'
  // the conversation goes on after these
  | 'device_lost'
  | 'microphone_busy'
  | 'microphone_missing'
  | 'microphone_refused'
  | 'microphone_waiting'
  | 'no_backup'
  | 'playback_blocked'
  | 'speaker_lost'
  | 'speaker_unavailable'
  | 'tool_failed'
  | 'tool_timeout';

interface ProblemFields {
  readonly message: string;
  /** Advice for the page or its user. */
  readonly advice: string;
  /** The relay's or the browser's own name for the cause, such as `too_many_sessions`. */
  readonly reason?: string;
  /** HTTP status of a refused connection. */
  readonly status?: number;
  /** Seconds after which another try may be admitted. */
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

export interface ClientProblem extends ProblemFields {
  readonly source: 'client';
  readonly code: ErrorCode;
}

/** An `error` event of the relay or of the provider, with its own code. */
export interface RemoteProblem extends ProblemFields {
  readonly source: 'relay' | 'provider';
  readonly code: string;
}

export type Problem = ClientProblem | RemoteProblem;

/** connect() rejects with it. */
export class VerbatimError extends Error {
  readonly code: ErrorCode;
  readonly advice: string;
  readonly reason?: string;
  readonly status?: number;
  readonly retryAfter?: number;
  constructor(code: ErrorCode, details?: Partial<ProblemFields>);
  readonly problem: ClientProblem;
}

export interface ToolCall {
  readonly name: string;
  readonly callId: string;
  /** Aborted when the time limit is over or the conversation ends. */
  readonly signal: AbortSignal;
}

export interface Tool {
  description?: string;
  /** JSON schema of the arguments. Default: no arguments. */
  parameters?: object;
  /** Time limit in ms. Default: `toolTimeout` of the options. */
  timeout?: number;
  /** Its result is sent as the tool's output: text as it is, everything else as JSON. */
  run(args: any, call: ToolCall): unknown;
}

export type Tools = Record<string, Tool>;

export interface ToolEvent {
  readonly name: string;
  readonly callId: string;
  readonly status: 'running' | 'completed' | 'failed';
  readonly arguments: unknown;
  /** As it was sent; absent while the tool runs. */
  readonly output?: string;
}

export type TurnDetection =
  | 'server_vad'
  | 'semantic_vad'
  | { readonly type: string; readonly [field: string]: unknown }
  /** Push to talk: startTurn() and endTurn() mark each turn. */
  | null;

/** Settings of the session. The token, the relay or the provider decides on those that are absent. */
export interface Settings {
  instructions?: string;
  voice?: string;
  tools?: Tools;
  turnDetection?: TurnDetection;
  /** `text`: answers are written, and neither microphone nor loudspeaker is used. Default: `audio`. */
  modality?: 'audio' | 'text';
}

export interface SessionOptions extends Settings {
  /** Default: `/v1/realtime` of the page's own host. */
  url?: string;
  /** A client token (`ek_...`), or a function that gets a new one for each connection. */
  token?: string | (() => string | Promise<string>);
  model?: string;
  /** The id of a session to continue. */
  session?: string;
  /** How audio travels. Default: `binary` if the relay grants it. */
  audio?: 'binary' | 'json';
  /** Time limit of connect(), in ms. Default: 20,000. */
  connectTimeout?: number;
  /** Time limit of each tool, in ms. Default: 30,000. */
  toolTimeout?: number;
}

/** An immutable view of the conversation; a new object after each change. */
export interface Snapshot {
  readonly state: State;
  readonly turns: readonly Turn[];
  /** Whether an answer is being generated. */
  readonly answering: boolean;
  readonly muted: boolean;
  /** The latest problem since connect(). */
  readonly problem: Problem | null;
}

/** Any event of the provider or of the relay. */
export interface ServerEvent {
  readonly type: string;
  readonly [field: string]: any;
}

export interface SessionEvents {
  state: State;
  turns: readonly Turn[];
  event: ServerEvent;
  problem: Problem;
  tool: ToolEvent;
  /** Audio of an answer: PCM16 at 24 kHz. */
  audio: { readonly itemId: string; readonly contentIndex: number; readonly samples: Int16Array };
  /** How much of an answer was played so far; `text` is an estimate. */
  heard: { readonly itemId: string; readonly audioMs: number; readonly text: string | null };
  /** The relay ends the conversation soon. */
  ending: { readonly close_reason: string; readonly in_ms?: number; readonly [field: string]: unknown };
  ended: { readonly reason: string; readonly sessionId: string | undefined };
}

/** A conversation: connection, resume, settings, transcript, tools. The page brings its own audio, or none. */
export class Session<Events extends SessionEvents = SessionEvents> extends EventTarget {
  constructor(options?: SessionOptions);
  readonly state: State;
  readonly sessionId: string | undefined;
  /** The turns in the conversation's order. The array and its turns never change; each change makes a new array. */
  readonly turns: readonly Turn[];
  readonly muted: boolean;
  readonly answering: boolean;
  readonly snapshot: Snapshot;
  /** Calls back at once, and after each change. Returns a function that ends the subscription. */
  subscribe(listener: (snapshot: Snapshot) => void): () => void;
  /** Like addEventListener, with the event's detail. Returns a function that ends the subscription. */
  on<K extends keyof Events & string>(type: K, listener: (detail: Events[K]) => void): () => void;
  /** Always ends: it resolves when the conversation can begin, or rejects with a VerbatimError. */
  connect(): Promise<void>;
  /** Ends the conversation. Resolves once its last word is durable, or after 10 s. */
  close(): Promise<void>;
  /** Changes settings of the running conversation. */
  configure(settings: Settings): void;
  send(event: { type: string; [field: string]: unknown }): void;
  sendText(text: string): void;
  /** PCM16 at 24 kHz, of a page that has its own microphone. */
  sendAudio(samples: Int16Array): void;
  /** Stops the answer and reports to the provider how much of it was heard. */
  interrupt(): Promise<void>;
  mute(value: boolean): void;
  /** Push to talk: the user begins to speak. */
  startTurn(): Promise<void>;
  /** Push to talk: the user has spoken. Resolves with false if that was too short to be an utterance. */
  endTurn(): Promise<boolean>;
  addEventListener<K extends keyof Events & string>(
    type: K,
    listener: (event: CustomEvent<Events[K]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof Events & string>(
    type: K,
    listener: (event: CustomEvent<Events[K]>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}
