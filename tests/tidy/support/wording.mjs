// Expressions that pages, comments and messages do not use. Each has a sentence with it as an example;
// english.test.mjs checks that the expression is found there.

/** `wrong` is looked for in prose, in any case; `write`: what to write in its place. */
export const expressions = [
  { wrong: /\b(?:no|some|any|every)body\b/, write: 'name the acting party: the relay, no client, another user', example: 'nobody on the way may read them' },
  { wrong: /\b(?:who|whom|what|which)ever\b/, write: '"every ... that", "if", "any"', example: 'whoever calls it, on whatever thread' },
  { wrong: /\b(?:told|tells?|telling)\b/, write: 'notify, report, send; distinctive (for words)', example: 'the client is told that it ended' },
  { wrong: /\bheed(?:s|ed|ing)?\b/, write: 'obey, apply, handle', example: 'limits that are heeded' },
  { wrong: /\bh(?:ang|angs|ung|anging) up\b/, write: 'close, shut down', example: 'the client hangs up' },
  { wrong: /\bpart(?:s|ed|ing)? from\b/, write: 'close the connection to', example: 'the relay parts from its peer' },
  { wrong: /\b(?:door)?bells?\b|\bdoorkeepers?\b/, write: 'event, notification; admission control', example: 'rings the doorbell' },
  { wrong: /\blegs?\b/, write: 'upstream connection, client connection', example: 'the upstream leg is lost' },
  { wrong: /\bcompl(?:aints?|ains?|ained)\b/, write: 'rejection, error', example: 'a complaint is sent' },
  { wrong: /\bgreet(?:s|ed|ings?)?\b/, write: 'session.created, preamble, first message', example: 'the greeting of the provider' },
  { wrong: /\b(?:afresh|anew)\b/, write: 'again', example: 'the count begins anew' },
  { wrong: /\ball the same\b/, write: 'anyway, still', example: 'the copy is kept all the same' },
  { wrong: /\b(?:endures?|heals?|healed|tends? to|keeps? house)\b/, write: 'retry, recover, usually, run maintenance', example: 'the disk heals' },
  { wrong: /\b(?:foresee\w*|lest|hence|thence|whence|thereof|whereby|wherein|hereby)\b/, write: 'predict, so that not, so, by which', example: 'a flag, hence the look' },
  { wrong: /\b(?:but|save) for\b/, write: 'except', example: 'pure but for the random id' },
  { wrong: /\b(?:by|for|of|to|from|and|but|than|if|only|behind) who\b(?! (?:is|are|was) (?:it|there|that)\b)/, write: 'the user who, the client that', example: 'turns by who spoke' },
  { wrong: /(?<!\bthere )\b(?:is|are|was|were|be) no (?!longer\b|more\b|less\b|later\b|earlier\b|other\b|such\b|one\b|better\b|worse\b|larger\b|faster\b)/, write: '"is not a ..."', example: 'text that is no URL is refused' },
  { wrong: /\b(?:that|which|if it|if they) (?:is|are|was|were) none\b/, write: '"that is not a ..."', example: 'a target that is none is refused' },
  { wrong: /\bknow(?:s|ing|n)? (?:nothing|naught) of\b/, write: 'does not depend on, does not use', example: 'it knows nothing of sessions' },
  { wrong: /\b(?:hold|holds|held|holding)\b[^.;]{0,40}? against\b/, write: 'compare with', example: 'the metrics are held against the page' },
  { wrong: /\bgo(?:es|ne)? on with from\b|\bfor a look at\b/, write: 'continue', example: 'a session is gone on with from its page' },
  { wrong: /\bso many\b(?! that\b)/, write: 'name the number', example: 'as many words in so many seconds' },
];

/** Words that make the subject of a sentence hard to find if it begins with them. */
export const openings = {
  wrong: /^[^\p{L}]*(?:what|who|whom|whose|whoever|whatever|whichever|where|wherever)\b/iu,
  /** An infinitive has no second subject: "what to do", "Where to look". */
  but: /^\W*(?:what|where|whom) to \w+/i,
  write: 'the acting thing first: "Text that waits is sent", not "What waits is sent"; "If", not "Where"',
};
