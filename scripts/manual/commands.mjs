// The commands of the program with their options, read from its own help.
import { execFileSync } from 'node:child_process';

/**
 * {version, commands: [{path: ['sessions', 'list'], about, positionals, options, subcommands}]}, the program
 * itself first. An option is {names, value, about}; `value` is '' for a flag.
 */
export function readCommands(program) {
  const ask = (...args) => execFileSync(program, args, { encoding: 'utf8' });
  const read = (path) => {
    const command = { path, ...parseHelp(ask(...path, '--help')) };
    return [command, ...command.subcommands.flatMap(({ name }) => read([...path, name]))];
  };
  return { version: ask('--version').trim().split(' ').at(-1), commands: read([]) };
}

/** A line of a list: a name, two spaces, and a description. */
const item = /^ {2,4}(\S.*?)(?: {2,}(.*))?$/;

function parseHelp(text) {
  const lines = text.split('\n');
  const lists = { Positionals: [], Options: [], Subcommands: [] };
  let list;
  for (const line of lines) {
    const heading = /^ {0,2}(\w+):$/.exec(line)?.[1];
    if (heading) list = lists[heading];
    else if (/^\S/.test(line)) list = undefined;
    else if (list && /^ {20,}\S/.test(line)) list.at(-1).about += line.trim();
    else if (list && item.test(line)) {
      const [, head, about = ''] = item.exec(line);
      const [name, ...value] = head.split(' ');
      list.push({ name, value: value.join(' '), about: about.trim() });
    }
  }
  return {
    about: lines.find((line) => line && !line.startsWith('Usage:')),
    positionals: lists.Positionals.map((one) => ({ ...one, required: one.value.includes('REQUIRED') })),
    options: lists.Options.map(({ name, value, about }) => ({
      names: name.split(','),
      value: value.replace(/ *(REQUIRED|\.\.\.)/g, '').replace(/:.*/, ''),
      required: value.includes('REQUIRED'),
      about,
    })),
    subcommands: lists.Subcommands,
  };
}

/** The values that an option may have, if its help is a list of them: "json, jsonl, text". */
export function valuesOf({ about }) {
  const words = about.split(/, /);
  return words.length > 2 && words.every((word) => /^[\w-]+$/.test(word)) ? words : [];
}

/** True if the option's value is a file or a folder. */
export const takesFile = ({ names, value, about }) =>
  value !== '' && names.at(-1) !== '--set' && (/\b(file|folder|directory|certificate)\b/.test(about) || /--(config|ready-file|data|key|recordings|received)$/.test(names.at(-1)));
