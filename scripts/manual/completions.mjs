// Completions for bash, zsh and fish: commands, options, and the names of settings after --set.
import { takesFile, valuesOf } from './commands.mjs';

const long = ({ names }) => names.filter((name) => name.startsWith('--'));
const nameOf = ({ path }) => ['verbatim', ...path].join(' ');
const identifier = (command) => `_${nameOf(command).replace(/\W/g, '_')}`;
const header = '# Made by scripts/manual.mjs from `verbatim --help`.';

/** The options of all commands by their value: {files, keys, choices: name -> values}. */
function byValue(commands) {
  const all = commands.flatMap(({ options }) => options);
  return {
    files: [...new Set(all.filter(takesFile).flatMap(long))],
    choices: new Map(all.filter((one) => valuesOf(one).length > 0).flatMap((one) => long(one).map((name) => [name, valuesOf(one)]))),
    other: [...new Set(all.filter((one) => one.value && !takesFile(one) && valuesOf(one).length === 0 && one.names.at(-1) !== '--set').flatMap(long))],
  };
}

export function bash(commands, keys) {
  const { files, choices, other } = byValue(commands);
  const words = (command) => [...command.subcommands.map(({ name }) => name), ...command.options.flatMap(long)].join(' ');
  const withFile = commands.filter(({ positionals }) => positionals.some(({ name }) => name === 'file'));
  return `${header}
_verbatim() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} path=verbatim word words
  COMPREPLY=()
  # COMP_WORDBREAKS divides session.idle_timeout=30s at "=".
  if [[ $current == = || $previous == = ]]; then return; fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
${commands.slice(1).map((command) => `      "${nameOf(command)}") path="${nameOf(command)}" ;;`).join('\n')}
    esac
  done
  case $previous in
    ${files.join(' | ')}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
${[...choices].map(([name, values]) => `    ${name}) mapfile -t COMPREPLY < <(compgen -W "${values.join(' ')}" -- "$current"); return ;;`).join('\n')}
    --set)
      mapfile -t COMPREPLY < <(compgen -S = -W "${keys.join(' ')}" -- "$current")
      compopt -o nospace 2>/dev/null
      return ;;
    ${other.join(' | ')}) return ;;
  esac
  case $path in
${commands.map((command) => `    "${nameOf(command)}") words="${words(command)}" ;;`).join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  case $path in
    ${withFile.map((command) => `"${nameOf(command)}"`).join(' | ')}) mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;;
  esac
}
complete -F _verbatim verbatim
`;
}

/** In single quotes for a shell; a backslash precedes each character that zsh's _arguments treats specially. */
const zshText = (text) => text.replace(/[[\]:\\]/g, '\\$&').replace(/'/g, "'\\''");

export function zsh(commands, keys) {
  const action = (one) => {
    if (!one.value) return '';
    if (one.names.at(-1) === '--set') return ':setting:_verbatim_settings';
    if (takesFile(one)) return ':file:_files';
    return valuesOf(one).length > 0 ? `:value:(${valuesOf(one).join(' ')})` : `:${one.value.toLowerCase()}: `;
  };
  const spec = (one) => `${one.names.at(-1) === '--set' ? '*' : ''}${long(one)[0]}[${zshText(one.about)}]${action(one)}`;
  const functionOf = (command) => {
    const specs = command.options.filter((one) => long(one).length > 0).map((one) => `    '${spec(one)}'`);
    const positionals = command.positionals.map(({ name }) => `    ':${name}:${name === 'file' ? '_files' : ' '}'`);
    if (command.subcommands.length === 0) return `${identifier(command)}() {\n  _arguments \\\n${[...specs, ...positionals].join(' \\\n')}\n}`;
    const names = command.subcommands.map(({ name, about }) => `    '${name}:${zshText(about)}'`).join('\n');
    const calls = command.subcommands.map(({ name }) => `    ${name}) ${identifier({ path: [...command.path, name] })} ;;`).join('\n');
    return `${identifier(command)}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands
  commands=(
${names}
  )
  _arguments -C \\
${specs.join(' \\\n')} \\
    '1: :->command' '*::argument:->argument'
  case $state in
  command) _describe command commands ;;
  argument) case $line[1] in
${calls}
  esac ;;
  esac
}`;
  };
  return `#compdef verbatim
${header}
_verbatim_settings() {
  local -a settings
  settings=(${keys.join(' ')})
  compadd -S = -a settings
}
${commands.map(functionOf).join('\n')}
_verbatim "$@"
`;
}

const fishText = (text) => `'${text.replace(/[\\']/g, '\\$&')}'`;

export function fish(commands, keys) {
  const condition = ({ path, subcommands }) =>
    path.length === 0
      ? '__fish_use_subcommand'
      : [`__fish_seen_subcommand_from ${path[0]}`, ...(path.length > 1 ? [`__fish_seen_subcommand_from ${path[1]}`] : subcommands.length > 0 ? [`not __fish_seen_subcommand_from ${subcommands.map(({ name }) => name).join(' ')}`] : [])].join('; and ');
  const lines = commands.flatMap((command) => {
    const when = `-n ${fishText(condition(command))}`;
    const argument = (one) => {
      if (!one.value) return '';
      if (one.names.at(-1) === '--set') return ` -x -a ${fishText('(__verbatim_settings)')}`;
      if (takesFile(one)) return ' -r -F';
      return valuesOf(one).length > 0 ? ` -x -a ${fishText(valuesOf(one).join(' '))}` : ' -x';
    };
    return [
      ...command.subcommands.map(({ name, about }) => `complete -c verbatim ${when} -f -a ${name} -d ${fishText(about)}`),
      ...command.options.flatMap((one) => long(one).map((name) => `complete -c verbatim ${when} -l ${name.slice(2)}${argument(one)} -d ${fishText(one.about)}`)),
      ...(command.positionals.some(({ name }) => name === 'file') ? [`complete -c verbatim ${when} -F`] : []),
    ];
  });
  return `${header}\nfunction __verbatim_settings\n  printf '%s=\\n' ${keys.join(' ')}\nend\ncomplete -c verbatim -f\n${lines.join('\n')}\n`;
}
