// Settings of the page as the provider's `session` object.
import type { Settings, TurnDetection } from '../core.d.ts';

/** Null if the page sets nothing. */
export function sessionOf({ instructions, voice, tools, turnDetection, modality }: Settings): object | null {
  const input = turnDetection === undefined ? undefined : { turn_detection: detectionOf(turnDetection) };
  const output = voice === undefined ? undefined : { voice };
  const session = {
    instructions,
    output_modalities: modality && [modality],
    tools: tools && Object.entries(tools).map(([name, { description, parameters = { type: 'object', properties: {} } }]) =>
      ({ type: 'function', name, description, parameters })),
    audio: (input || output) && { input, output },
  };
  const set = Object.values(session).some((value) => value !== undefined);
  return set ? { type: 'realtime', ...session } : null;
}

function detectionOf(wanted: TurnDetection): object | null {
  return typeof wanted === 'string' ? { type: wanted } : wanted;
}
