// An AudioContext with the library's worklets, that runs as soon as the browser allows it.
import source from 'verbatim-worklets';
import { VerbatimError } from './errors.ts';
import { beside } from './refusal.ts';
import { limited } from './time.ts';

const startMax = 1000; // ms after which sound counts as blocked

export interface WorkletPlace {
  /** Of the relay. */
  url: string;
  /** Set by the page: no other place is tried. */
  workletUrl?: string | undefined;
}

/** Rejects with `worklet_failed`. */
export async function loadWorklets(context: BaseAudioContext, { url, workletUrl }: WorkletPlace): Promise<void> {
  if (!context.audioWorklet) throw new VerbatimError('unsupported', { reason: 'AudioWorklet' });
  const served = beside(url, '/web/v1/worklets.js');
  // A page of the relay's own origin usually allows no blob: at all.
  const places = workletUrl ? [workletUrl] : served.origin === location.origin ? [served.href, null] : [null, served.href];
  let cause: unknown;
  for (const place of places) {
    const address = place ?? URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    try {
      return await context.audioWorklet.addModule(address);
    } catch (error) {
      cause = error;
    } finally {
      if (!place) URL.revokeObjectURL(address);
    }
  }
  throw new VerbatimError('worklet_failed', { cause });
}

/**
 * Starts the context. If the browser waits for a click, it returns false, and the next click or key starts it.
 * (The promise of resume() may stay open until then.)
 */
export async function startContext(context: AudioContext): Promise<boolean> {
  await limited(context.resume(), startMax).catch(() => {});
  if (context.state === 'running' || context.state === 'closed') return true;
  const gestures = ['pointerdown', 'keydown'] as const;
  const resume = () => {
    for (const gesture of gestures) removeEventListener(gesture, resume, true);
    if (context.state !== 'closed') void context.resume();
  };
  for (const gesture of gestures) addEventListener(gesture, resume, true);
  return false;
}
