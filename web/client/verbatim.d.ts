// Public types of the whole library.
import type { Session, SessionEvents, SessionOptions } from './core.js';

export * from './core.js';

export interface Options extends SessionOptions {
  microphone?: boolean;
  /** The microphone. Default: the browser's choice. */
  deviceId?: string;
  playback?: boolean;
  /** The loudspeaker. Default: the browser's choice. */
  sinkId?: string;
  /** Loudness of playback, 0 to 1. */
  volume?: number;
  /** Keep a copy of the turns in this browser until the relay has all of them. Default: true. */
  backup?: boolean;
  /** Keep the screen on while the conversation runs. Default: true if the microphone is used. */
  wakeLock?: boolean;
  /**
   * Address of the audio worklets, for a page whose policy (CSP) allows scripts neither from `blob:` nor from
   * the relay. The package has the file as `worklets.js`.
   */
  workletUrl?: string;
}

export interface Level {
  readonly input: number;
  readonly output: number;
}

export interface ConversationEvents extends SessionEvents {
  /** Loudness of both sides, 0 to 1, about 20 times a second. */
  level: Level;
}

/** A spoken conversation: microphone, loudspeaker, live transcript, backup. */
export class Conversation extends Session<ConversationEvents> {
  constructor(options?: Options);
  static devices(kind?: 'audioinput' | 'audiooutput'): Promise<{ deviceId: string; label: string }[]>;
  /** Posts the copies that earlier conversations left in this browser to the relay. */
  static reconcile(options?: { token?: string }): Promise<{ id: string; outcome: string }[]>;
  /** Loudness, 0 to 1. */
  readonly level: Level;
  /** The answer that plays now or played last, and how much of it was heard. */
  readonly heard: { readonly itemId: string; readonly audioMs: number; readonly text: string | null } | null;
  /** Loudness of playback, 0 to 1. */
  volume: number;
  useDevice(deviceId?: string): Promise<void>;
  /** Chooses the loudspeaker; without an id, the browser's default. */
  setSinkId(sinkId?: string): Promise<void>;
  /** Call it from a click after `playback_blocked`. */
  resumeAudio(): Promise<void>;
}
