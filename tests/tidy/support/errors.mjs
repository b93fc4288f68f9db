// Every code by which the program, or the client library, says that something went wrong: read from the sources.
import { files, lineAt, productCpp, textOf } from './sources.mjs';

const token = /\/\/[^\n]*|R"\(([\s\S]*?)\)"|"((?:\\.|[^"\\\n])*)"|'(?:\\.|[^'\\\n])'|[()[\]{},;]/g;

/** The arguments that begin after `from`, where a bracket was opened: for each, its literals. */
function argumentsFrom(text, from) {
  const all = [[]];
  let depth = 0;
  token.lastIndex = from;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [whole, raw, plain] = match;
    if (raw !== undefined || plain !== undefined) all.at(-1).push({ text: raw ?? plain, depth });
    else if (/^[([{]$/.test(whole)) depth += 1;
    else if (/^[)\]}]$/.test(whole) && --depth < 0) break;
    else if (whole === ',' && depth === 0) all.push([]);
  }
  return all;
}

/** Each call (or braced value) that `opening` matches: {file, line, literals of its arguments}. */
function* calls(opening, among) {
  for (const file of among) {
    const text = textOf(file);
    for (const match of text.matchAll(opening)) {
      yield { where: `${file}:${lineAt(text, match.index)}`, given: argumentsFrom(text, match.index + match[0].length) };
    }
  }
}

/** Code -> first place. `argument` is the one that holds the code, or the two codes of a condition. */
function collect(into, opening, argument, among, form = /^[a-z]\w*$/) {
  for (const { where, given } of calls(opening, among)) {
    for (const { text, depth } of given[argument] ?? []) {
      if (depth === 0 && form.test(text) && !into.has(text)) into.set(text, where);
    }
  }
  return into;
}

const cpp = (folder) => productCpp.filter((file) => file.endsWith('.cpp') && file.startsWith(folder));
// The simulated provider answers as the provider does: its codes are not the relay's.
const server = productCpp.filter((file) => file.startsWith('server/') && !/\/simulator_/.test(file));
const rows = [...textOf('session/transcript/close_reason.hpp').matchAll(/\.name = "(\w+)",\s*\.close_code = (\d+)([^}]*)/g)];

/** In {"error":{"code"}} of an HTTP answer. */
export const answerCodes = new Map();
collect(answerCodes, /\bopenai_error\(/g, 1, server);
collect(answerCodes, /\b(?:refusal|failure)\((?=\s*\d{3},)/g, 1, server);
collect(answerCodes, /\btoo_many\(/g, 0, server);
collect(answerCodes, /\bAuthFailure\s*\{/g, 1, server);
collect(answerCodes, /\breturn \{(?=\d{3},)/g, 1, server);

/** In the `error` event of a WebSocket. */
export const eventCodes = new Map();
for (const folder of ['session/policy/', 'session/protocol/']) {
  collect(eventCodes, /\brefuse\(/g, 0, cpp(folder), /^[a-z]+(_[a-z]+)+$/);
  collect(eventCodes, /\bRefusal\s*\{/g, 0, cpp(folder));
  collect(eventCodes, /\breturn \{(?="[a-z_]+",)/g, 0, cpp(folder));
}
collect(eventCodes, /\bsend_error\(/g, 1, cpp('session/'));
collect(eventCodes, /\brefuse\((?=link|\*client_)/g, 2, cpp('server/relay/'));
for (const [, name, , rest] of rows) if (/error_event = true/.test(rest)) eventCodes.set(name, 'session/transcript/close_reason.hpp');

/** `title` of a problem document. */
export const problemTitles = collect(new Map(), /\bproblem\(/g, 1, server, /^[A-Za-z][\w ]+$/);

/** Reason -> its close code. */
export const closeReasons = new Map(rows.map(([, name, code]) => [name, code]));
/** Codes for what a peer does wrong on a connection, beside those of the reasons. */
export const frameCodes = new Set([...textOf('server/net/ws_frame.hpp').matchAll(/uint16_t \w+ = (\d{4});/g)].map(([, code]) => code));
export const closeCodes = new Set([...closeReasons.values(), ...frameCodes]);

const eventName = /^[a-z_]+(\.[a-z_]+)?$/;
function logLines(level) {
  const found = collect(new Map(), new RegExp(`\\blog_?(?:\\.|->)${level}\\(`, 'g'), 0, productCpp, eventName);
  for (const [, name] of textOf('base/log.cpp').matchAll(new RegExp(`\\{LogLevel::${level}, "([\\w.]+)"\\}`, 'g'))) found.set(name, 'base/log.cpp');
  return found;
}
export const errorLines = logLines('error');
/** An event that is written at both levels stands with the errors. */
export const warningLines = new Map([...logLines('warn')].filter(([name]) => !errorLines.has(name)));
export const infoLines = new Map([...logLines('info')].filter(([name]) => !errorLines.has(name) && !warningLines.has(name)));

/** `kind` of a storage failure. */
export const storageKinds = new Map(
  [...textOf('storage/store/error.cpp').matchAll(/case Failure::\w+:\s*return "(\w+)";/g)].map(([, kind]) => [kind, 'storage/store/error.cpp']),
);

/** `code` of a problem that web/client reports. */
export const clientCodes = new Map();
const catalogue = 'web/client/src/errors.ts';
const [, entries] = /\bcatalogue: [^=]*= \{([\s\S]*?)\n\};/.exec(textOf(catalogue));
for (const [, code] of entries.matchAll(/^  (\w+): \[/gm)) clientCodes.set(code, catalogue);

/** Messages of a start that fails: for each `throw`, its literals one after the other. */
const starts = productCpp.filter((file) => /^server\/(app\/(app|credentials|data_dir|reload|service_manager)|net\/(tls|listener))\.cpp$|^config\/settings\.cpp$|^storage\/sqlite\/(schema|store_files)\.cpp$|^storage\/maintenance\/recovery\.cpp$/.test(file));
export const startMessages = [];
for (const { where, given } of calls(/\bthrow [\w:]+\(|\bfail(?:_unknown|_folder)?\(/g, starts)) {
  const text = given.flat().map((one) => one.text).join('');
  if (text.trim().split(/\s+/).length > 2) startMessages.push({ where, text });
}
