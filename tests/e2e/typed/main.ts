// Runs one function of the typed back end: node main.js FUNCTION ARGUMENT...
import * as backEnd from './conversation.js';

declare const process: { argv: string[]; env: Record<string, string | undefined> };

const { VERBATIM_URL = '', VERBATIM_KEY = '' } = process.env;
const [what = '', first = '', second = ''] = process.argv.slice(2);
const api = backEnd.connect(VERBATIM_URL, VERBATIM_KEY);
const calls: Record<string, () => Promise<unknown>> = {
  prepare: () => backEnd.prepare(api, first),
  find: () => backEnd.find(api, first, second),
  read: () => backEnd.read(api, first),
  missing: () => backEnd.missing(api),
  complete: () => backEnd.complete(api, first),
};
console.log(JSON.stringify(await calls[what]?.()));
