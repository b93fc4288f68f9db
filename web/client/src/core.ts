// The core alone, for a page with its own audio, or without any.
export { VerbatimError } from './errors.ts';
export { Session } from './session.ts';
