// The raw events of an attempt, if they were captured; and the switch that captures a live one.
import { Refused, call, sessionPath } from './api.js';
import { element } from './dom.js';
import { EventList } from './event-list.js';
import { attempt as attempted, emptyState, toast } from './ui.js';

/** The captured events of an attempt as [{ms, dir, event}]; undefined if there are none. */
export async function captured(id, number, signal) {
  try {
    const answer = await call(`${sessionPath(id)}/captured?attempt=${number}`, { signal });
    return (await answer.text()).split('\n').filter(Boolean).map(parsed);
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return undefined;
    throw error;
  }
}

function parsed(line) {
  const { t_ms: ms, dir, event } = JSON.parse(line);
  return { ms, dir, event };
}

/** The view of raw events. */
export function rawView({ id, number, live, signal }) {
  const place = element('div', { class: 'raw' });
  const list = new EventList({ label: `Raw events of attempt ${number}` });
  const reload = element('button', { type: 'button', class: 'small' }, 'Read again');
  const show = async () => {
    const events = await captured(id, number, signal);
    if (!events) {
      place.replaceChildren(nothing());
      return;
    }
    list.clear();
    list.add(...events);
    place.replaceChildren(...(live ? [element('p', { class: 'buttons' }, reload)] : []), list.element);
  };
  const nothing = () => {
    const empty = emptyState(
      'No raw events',
      live
        ? 'The events of this attempt are not captured. They can be captured from now on.'
        : 'The events of this attempt were not captured. Set capture.dir in the configuration to capture those of later conversations.',
    );
    if (live) {
      const button = element('button', { type: 'button' }, 'Capture from now on');
      button.addEventListener('click', () =>
        attempted(button, async () => {
          await call(`${sessionPath(id)}/captured`, { method: 'POST' });
          toast('Events are captured from now on.');
          place.replaceChildren(element('p', { class: 'buttons' }, reload), list.element);
        }),
      );
      empty.append(button);
    }
    return empty;
  };
  reload.addEventListener('click', () => attempted(reload, show));
  show().catch((error) => {
    if (!signal.aborted) toast(error.message, 'bad');
  });
  return place;
}
