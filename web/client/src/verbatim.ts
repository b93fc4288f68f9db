// The whole library: what a page imports.
export { Conversation } from './conversation.ts';
export { VerbatimError } from './errors.ts';
export { Session } from './session.ts';
