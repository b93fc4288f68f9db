// A page as its author types it. The lines after @ts-expect-error are mistakes that the types find.
import { Conversation, VerbatimError, type ErrorCode, type Problem, type Turn } from '../../../web/client/verbatim.js';
import { Session } from '../../../web/client/core.js';
import { useConversation, useLevel } from '../../../web/client/react.js';

const talk = new Conversation({
  url: 'wss://relay.example/v1/realtime',
  token: async () => 'ek_1',
  instructions: 'Be brief.',
  voice: 'marin',
  turnDetection: null,
  tools: {
    get_weather: {
      description: 'The weather of a town.',
      parameters: { type: 'object', properties: { town: { type: 'string' } }, required: ['town'] },
      run: async ({ town }: { town: string }, { signal }) => ({ town, sky: 'clear', late: signal.aborted }),
    },
  },
});

talk.addEventListener('turns', ({ detail }) => detail.map(({ text }) => text.length));
talk.addEventListener('problem', ({ detail }) => explain(detail));
const off: () => void = talk.on('level', ({ input, output }) => Math.max(input, output));
off();
talk.on('heard', ({ text }) => text?.length);
const turns: readonly Turn[] = talk.turns;
talk.subscribe(({ state, problem }) => [state, problem?.advice]);

/** A union: the codes of the library are known, those of others are text. */
function explain(problem: Problem): string {
  if (problem.source !== 'client') return problem.code.toUpperCase();
  const codes: Partial<Record<ErrorCode, string>> = { origin_not_allowed: 'Ask the operator.' };
  return codes[problem.code] ?? problem.advice;
}

talk.connect().catch((error: unknown) => {
  if (error instanceof VerbatimError && error.code === 'limit_reached') return error.retryAfter?.toFixed();
  throw error;
});

const { state, connect } = useConversation({ turnDetection: 'semantic_vad' });
const { input } = useLevel(talk);
const session: Session = new Session({ modality: 'text' });
export const all = [turns, state, connect, input, session.snapshot.turns];

// @ts-expect-error: not a state
talk.state === 'opened';
// @ts-expect-error: an unknown event
talk.on('turn', () => {});
// @ts-expect-error: turns do not change
talk.turns.pop();
// @ts-expect-error: no such option
new Conversation({ instruction: 'Be brief.' });
// @ts-expect-error: a tool runs something
new Conversation({ tools: { nothing: { parameters: {} } } });
// @ts-expect-error: no such code
(await talk.connect().catch((error: VerbatimError) => error.code === 'no_such_code'));
// @ts-expect-error: the core has no loudspeaker
session.setSinkId('default');
