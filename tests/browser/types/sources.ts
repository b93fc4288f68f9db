// The sources and the types that the package promises fit each other: each class can stand for the other.
import * as built from '../../../web/client/src/verbatim.ts';
import * as builtCore from '../../../web/client/src/core.ts';
import * as builtReact from '../../../web/client/src/react.ts';
import type * as promised from '../../../web/client/verbatim.d.ts';
import type * as promisedCore from '../../../web/client/core.d.ts';
import type * as promisedReact from '../../../web/client/react.d.ts';

built satisfies Pick<typeof promised, keyof typeof built>;
builtCore satisfies Pick<typeof promisedCore, keyof typeof builtCore>;
builtReact satisfies typeof promisedReact;

/** Everything that has a value is built, and nothing else is. */
type Same<A, B> = [A, B] extends [B, A] ? true : false;
true satisfies Same<keyof typeof built, keyof typeof promised>;
true satisfies Same<keyof typeof builtCore, keyof typeof promisedCore>;
true satisfies Same<keyof typeof builtReact, keyof typeof promisedReact>;
