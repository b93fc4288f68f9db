// The manual pages, in the macros of man(7).
import { valuesOf } from './commands.mjs';

const escaped = (text) => text.replace(/\\/g, '\\e').replace(/-/g, '\\-').replace(/^(['.])/gm, '\\&$1');
const bold = (text) => `\\fB${escaped(text)}\\fR`;
const italic = (text) => `\\fI${escaped(text)}\\fR`;
/** Backticks become bold. */
const prose = (text) => text.split(/(`[^`]*`)/).map((part) => (part.startsWith('`') ? bold(part.slice(1, -1)) : escaped(part))).join('');
const entry = (head, text) => `.TP\n${head}\n${text || '\\&'}`;
const title = (name, section, { version, date }) => `.TH ${name.toUpperCase()} ${section} ${date} "Verbatim ${version}" "Verbatim"`;

const option = ({ names, value, about, required }) =>
  entry(`${names.map(bold).join(', ')}${value ? ` ${italic(value)}` : ''}`, `${sentence(about)}${required ? ' Required.' : ''}`);

/** Help is a phrase; a page has sentences. */
function sentence(about) {
  if (!about) return '';
  const text = valuesOf({ about }).length > 0 ? `One of ${about}` : `${about[0].toUpperCase()}${about.slice(1)}`;
  return prose(text.endsWith('.') ? text : `${text}.`);
}

const key = ({ names }) => names.join(',');

function synopsis({ path, positionals, options }) {
  const parts = [...(options.length > 0 ? [`[${italic('options')}]`] : []), ...positionals.map(({ name, required }) => (required ? italic(name) : `[${italic(name)}]`))];
  return `${bold(['verbatim', ...path].join(' '))} ${parts.join(' ')}`.trim();
}

export function commandPage([program, ...commands], about) {
  const shared = program.options.filter((one) => commands.filter(({ options }) => options.some((other) => key(other) === key(one))).length > 3);
  const own = (command) => command.options.filter((one) => !shared.some((other) => key(other) === key(one)));
  const leaves = commands.filter(({ subcommands }) => subcommands.length === 0);
  return `${[
    title('verbatim', 1, about),
    '.SH NAME',
    'verbatim \\- relay for realtime voice that keeps the transcript',
    '.SH SYNOPSIS',
    leaves.map(synopsis).join('\n.br\n'),
    '.SH DESCRIPTION',
    prose(program.about),
    'It stands between clients and a realtime voice model, relays audio and events both ways, and writes each turn to a journal on disk before it relays the text.',
    '.PP',
    'Results go to the standard output, logs to the standard error.',
    '.SH COMMANDS',
    ...leaves.flatMap((command) => [
      `.SS ${['verbatim', ...command.path].join(' ')}`,
      sentence(command.about),
      ...command.positionals.map((one) => entry(italic(one.name), sentence(one.about))),
      ...own(command).map(option),
    ]),
    '.SH OPTIONS OF MOST COMMANDS',
    ...shared.map(option),
    ...own(program).filter(({ names }) => !commands.some(({ options }) => options.some((other) => key(other) === names.join(',')))).map(option),
    '.SH ENVIRONMENT',
    entry(bold('VERBATIM_SECTION_KEY'), prose('Sets `section.key`. It overrides the configuration file, and `--set` overrides it.')),
    entry(`${bold('NOTIFY_SOCKET')}, ${bold('WATCHDOG_USEC')}`, 'Set by a service manager (systemd): where the program reports its state and its signs of life, and how often.'),
    entry(bold('VERBATIM_API_KEY'), prose('A back-end key, for the commands that call a running relay. `--key-file` overrides it.')),
    entry(bold('OPENAI_API_KEY'), prose('The provider\'s key, if no `upstream.api_key_file` and no VERBATIM_UPSTREAM_API_KEY is set.')),
    '.SH SIGNALS',
    entry(`${bold('SIGTERM')}, ${bold('SIGINT')}`, prose('Stop: flush all text, then end or hand over the conversations (`server.restart`). A second one flushes and exits at once.')),
    entry(bold('SIGHUP'), prose('Read the configuration again. Settings that change while running are taken over, with certificates and secrets; the log names changed ones that need a restart. If something is wrong, all of them stay as they were.')),
    '.SH EXIT STATUS',
    ...[[0, 'Success.'], [1, 'A failure at run time.'], [2, 'Wrong usage or configuration.'], [3, 'Not found.']].map(([code, text]) => entry(bold(String(code)), text)),
    '.SH FILES',
    entry(italic('/etc/verbatim/verbatim.toml'), 'The configuration of the packaged service.'),
    entry(italic('/var/lib/verbatim'), 'Its data: journal, transcripts, the self\\-made certificate.'),
    '.SH SEE ALSO',
    `${bold('verbatim.toml')}(5)`,
  ].join('\n')}\n`;
}

export function settingsPage(sections, about) {
  return `${[
    title('verbatim.toml', 5, about),
    '.SH NAME',
    'verbatim.toml \\- configuration of verbatim',
    '.SH DESCRIPTION',
    prose('A TOML file. It needs only the keys that differ from their defaults. The environment (`VERBATIM_SECTION_KEY`) overrides the file, and `--set section.key=value` overrides both. `verbatim check` prints the result.'),
    '.PP',
    prose('Secrets never stand in this file. They come from files of their own (`..._file`) or from the environment.'),
    ...sections.flatMap((section) => [
      `.SH [${section.name}]`,
      ...(section.about ? [prose(section.about)] : []),
      ...section.keys.flatMap((one) => [
        '.TP',
        `${bold(one.name)} = ${one.unset ? italic('not set') : escaped(one.value)}`,
        [prose(one.about), `Accepts ${prose(one.accepts)}. ${one.changes}`].filter(Boolean).join('\n'),
      ]),
    ]),
    '.SH SEE ALSO',
    `${bold('verbatim')}(1)`,
  ].join('\n')}\n`;
}
