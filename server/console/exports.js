// A transcript as a file, in the formats of the API.
import { call, sessionPath } from './api.js';
import { element } from './dom.js';

/** What a file of each ends with. */
const formats = [
  ['json', 'json'],
  ['jsonl', 'jsonl'],
  ['text', 'txt'],
  ['markdown', 'md'],
  ['vtt', 'vtt'],
  ['srt', 'srt'],
];

/** For the attempts that are shown: one of them, or all. */
export function exportButtons(id, chosen) {
  const said = element('span', { class: 'hint', role: 'status' });
  const attempt = chosen.length > 1 ? 'all' : chosen[0];
  const save = async (format, ending) => {
    said.textContent = '';
    try {
      const answer = await call(`${sessionPath(id)}/transcript?attempt=${attempt}&format=${format}`);
      const name = `${id}${attempt === 'all' ? '' : `-${attempt}`}.${ending}`;
      download(await answer.blob(), name);
      said.textContent = `${name} is in your downloads.`;
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const buttons = formats.map(([format, ending]) =>
    element('button', { type: 'button', on: { click: () => save(format, ending) } }, format),
  );
  const label = element('span', { class: 'label', 'aria-hidden': 'true' }, 'Export');
  return element('div', { class: 'exports', role: 'group', 'aria-label': 'Export' }, label, buttons, said);
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  element('a', { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}
