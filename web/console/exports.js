// Downloads a transcript in the formats of the API.
import { call, sessionPath } from './api.js';
import { element } from './dom.js';
import { copyButton, menu, toast } from './ui.js';

/** The API's name, the file extension, and the words of each format. */
const formats = [
  ['markdown', 'md', 'Markdown'],
  ['text', 'txt', 'Plain text'],
  ['json', 'json', 'JSON'],
  ['jsonl', 'jsonl', 'JSON lines'],
  ['vtt', 'vtt', 'WebVTT captions'],
  ['srt', 'srt', 'SRT captions'],
];

/** Exports the attempt that is shown, or all attempts if two are shown; and raw events of captured attempts. */
export function exportMenu(id, chosen, captured) {
  const attempt = chosen.length > 1 ? 'all' : chosen[0];
  const save = async (what, name) => {
    try {
      const answer = await call(`${sessionPath(id)}/${what}`);
      download(await answer.blob(), name);
      toast(`${name} is in your downloads.`);
    } catch (error) {
      toast(error.message, 'bad');
    }
  };
  const button = (text, what, name) =>
    element('button', { type: 'button', on: { click: () => save(what, name) } }, text);
  const file = attempt === 'all' ? id : `${id}-${attempt}`;
  const items = formats.map(([format, ending, words]) =>
    button(words, `transcript?attempt=${attempt}&format=${format}`, `${file}.${ending}`),
  );
  for (const number of captured) {
    const text = captured.length > 1 ? `Raw events of attempt ${number}` : 'Raw events';
    items.push(button(text, `captured?attempt=${number}`, `${id}.${number}.jsonl`));
  }
  const asText = async () => (await call(`${sessionPath(id)}/transcript?attempt=${attempt}&format=markdown`)).text();
  items.push(copyButton(asText, 'Copy as Markdown: the transcript', 'Copy as Markdown'));
  items.at(-1).className = '';
  return menu('Export', items);
}

export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  element('a', { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}
