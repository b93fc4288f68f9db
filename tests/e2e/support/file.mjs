// Resources that the tests of one file share. They live until the last of these tests has ended.
import { after } from 'node:test';

/** Takes what ends something, as the context of a test does. (`after` itself, called in a hook, belongs to the hook.) */
export function wholeFile() {
  const ends = [];
  after(async () => {
    for (const end of ends) await end();
  });
  return { after: (end) => ends.push(end) };
}
