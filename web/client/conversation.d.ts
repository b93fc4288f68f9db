export type State = 'idle' | 'connecting' | 'open' | 'reconnecting' | 'closing' | 'closed';

export interface Turn {
  itemId: string;
  role: 'user' | 'assistant';
  text: string;
  status: 'in_progress' | 'completed' | 'interrupted' | 'truncated' | 'cancelled' | 'failed';
  /** ISO 8601, by the clock of this page. */
  startedAt: string;
  endedAt: string | null;
  /** For an answer that was talked over. `text` is null if the length of its audio is not known. */
  heard: { audioMs: number; text: string | null } | null;
  responseId: string | null;
  deleted?: boolean;
}

export interface Options {
  /** Default: `/v1/realtime` of the page's own host. */
  url?: string;
  /** A client token (`ek_...`), or a function that gets a new one for each connection. */
  token?: string | (() => Promise<string>);
  model?: string;
  /** The id of a session to continue. */
  session?: string;
  microphone?: boolean;
  deviceId?: string;
  playback?: boolean;
  audio?: 'binary' | 'json';
  /** Keep a copy of the turns in this browser until the relay has all of them. */
  backup?: boolean;
}

export interface ConversationEvents {
  state: CustomEvent<State>;
  turns: CustomEvent<Turn[]>;
  /** Any event of the provider or of the relay. */
  event: CustomEvent<{ type: string; [field: string]: unknown }>;
  problem: CustomEvent<{ code: string; message: string }>;
  heard: CustomEvent<{ itemId: string; audioMs: number }>;
  ending: CustomEvent<{ close_reason: string; in_ms?: number; [field: string]: unknown }>;
  ended: CustomEvent<{ reason: string; sessionId?: string }>;
}

export class Conversation extends EventTarget {
  constructor(options?: Options);
  static devices(): Promise<{ deviceId: string; label: string }[]>;
  static reconcile(options?: { token?: string }): Promise<{ id: string; outcome: string }[]>;
  readonly state: State;
  readonly sessionId: string | undefined;
  readonly turns: Turn[];
  /** Loudness, 0 to 1. */
  readonly level: { input: number; output: number };
  readonly muted: boolean;
  /** Call it from a click. Rejects with an Error that has a `code`. */
  connect(): Promise<void>;
  close(): Promise<void>;
  mute(value: boolean): void;
  useDevice(deviceId?: string): Promise<void>;
  send(event: object): void;
  sendText(text: string): void;
  interrupt(): Promise<void>;
  addEventListener<K extends keyof ConversationEvents>(
    type: K, listener: (event: ConversationEvents[K]) => void, options?: AddEventListenerOptions): void;
  removeEventListener<K extends keyof ConversationEvents>(
    type: K, listener: (event: ConversationEvents[K]) => void): void;
}
