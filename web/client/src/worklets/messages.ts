// Messages between the page and the audio thread.

/** Of the microphone: 40 ms of speech and its loudness. */
export interface Captured {
  samples: Int16Array<ArrayBuffer>;
  level: number;
}

/** To the loudspeaker: audio of an item, or the order to stop. */
export type ToPlayback = { item: string; content: number; samples: Int16Array; flush?: undefined } | { flush: true };

export interface Progress {
  item: string;
  content: number;
  samples: number; // played
  since: number; // samples since the last of them was played: 0 while it plays
}

export interface FromPlayback {
  level?: number;
  progress?: Progress;
  flushed?: (Progress & { left: number })[];
}
