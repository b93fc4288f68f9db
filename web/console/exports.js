// Downloads a transcript in the formats of the API.
import { call, sessionPath } from './api.js';
import { element } from './dom.js';

/** The file extension of each format. */
const formats = [
  ['json', 'json'],
  ['jsonl', 'jsonl'],
  ['text', 'txt'],
  ['markdown', 'md'],
  ['vtt', 'vtt'],
  ['srt', 'srt'],
];

/** Exports the attempt that is shown, or all attempts if two are shown; and raw events of captured attempts. */
export function exportButtons(id, chosen, captured) {
  const said = element('span', { class: 'hint', role: 'status' });
  const attempt = chosen.length > 1 ? 'all' : chosen[0];
  const save = async (what, name) => {
    said.textContent = '';
    try {
      const answer = await call(`${sessionPath(id)}/${what}`);
      download(await answer.blob(), name);
      said.textContent = `${name} is in your downloads.`;
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const button = (text, what, name) =>
    element('button', { type: 'button', on: { click: () => save(what, name) } }, text);
  const file = attempt === 'all' ? id : `${id}-${attempt}`;
  const buttons = formats.map(([format, ending]) =>
    button(format, `transcript?attempt=${attempt}&format=${format}`, `${file}.${ending}`),
  );
  for (const number of captured) {
    const text = captured.length > 1 ? `raw events of attempt ${number}` : 'raw events';
    buttons.push(button(text, `captured?attempt=${number}`, `${id}.${number}.jsonl`));
  }
  const label = element('span', { class: 'label', 'aria-hidden': 'true' }, 'Export');
  return element('div', { class: 'exports', role: 'group', 'aria-label': 'Export' }, label, buttons, said);
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  element('a', { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}
