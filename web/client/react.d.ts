// Public types of the React hooks.
import type { Conversation, Level, Options, Snapshot } from './verbatim.js';

export interface UseConversation extends Snapshot {
  readonly conversation: Conversation;
  readonly connect: () => Promise<void>;
  readonly close: () => Promise<void>;
  readonly sendText: (text: string) => void;
  readonly interrupt: () => Promise<void>;
  readonly mute: (value: boolean) => void;
  readonly startTurn: () => Promise<void>;
  readonly endTurn: () => Promise<boolean>;
}

/**
 * One conversation for the lifetime of the component, which closes it when it unmounts. The options of the first
 * render count, except that `tools` and `token` always call the functions of the latest one.
 */
export function useConversation(options?: Options): UseConversation;

/** Loudness of both sides. The component that shows it renders about 20 times a second. */
export function useLevel(conversation: Conversation): Level;
