// The Talk page: a conversation by voice, or typed without a microphone. It continues while other pages are
// shown.
import { at, call, mint, read, sessionPath } from './api.js';
import { choice, element, labelled, problem } from './dom.js';
import { key } from './key.js';
import { Meter } from './meter.js';
import { TurnList } from './turns.js';
import { duration, reasonWords, roles } from './words.js';

let kept;

export async function show({ page, query }) {
  kept ??= new TalkPage();
  page.append(kept.element);
  await kept.prepare(query);
}

// Messages for error codes of the browser and the relay, with what to do.
const advice = {
  microphone_refused:
    'Microphone access was denied. You can type instead. To talk, allow the microphone next to the page’s ' +
    'address and press Use the microphone.',
  microphone_missing:
    'The selected microphone was not found. You can type instead. To talk, connect a microphone and press ' +
    'Use the microphone.',
  microphone_busy:
    'The microphone cannot be used; another program may be using it. You can type instead. To talk, close ' +
    'that program and press Use the microphone.',
  unreachable: 'The relay cannot be reached, or it refuses the connection. Check Health, then press Start again.',
  replaced: 'This conversation was opened in another place and continues there.',
  no_backup: null, // the relay stores the conversation anyway
};
const limits = {
  max_duration: 'it reaches its maximum duration',
  idle_timeout: 'there was no activity for a while',
  server_shutdown: 'the relay is shutting down',
};

class TalkPage {
  #talk;
  #library;
  #microphone = false; // whether one is in use
  #answering = false;
  #connection = 'idle';
  #end;
  #announced = new Set();

  #state = element('p', { class: 'state', role: 'status' });
  #start = element('button', { type: 'button', class: 'primary', on: { click: () => this.#startOrStop() } });
  #mute = element('button', { type: 'button', on: { click: () => this.#muteOrUse() } });
  #interrupt = element(
    'button',
    { type: 'button', on: { click: () => this.#talk.interrupt() } },
    'Interrupt',
  );
  #devices = choice({ on: { change: () => this.#changeDevice() } }, [['', 'Default']]);
  #input = new Meter('You');
  #output = new Meter('Answer');
  #model = element('input', {
    type: 'text',
    value: 'gpt-realtime',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  #session = element('input', {
    type: 'text',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'new session',
  });
  #options = element(
    'details',
    { class: 'options' },
    element('summary', {}, 'Options'),
    element(
      'div',
      { class: 'fields' },
      labelled('Model', this.#model),
      labelled('Session to continue', this.#session),
    ),
  );
  #problems = element('div', { class: 'problems' });
  #notice = element('p', { class: 'notice', role: 'status', hidden: true });
  #link = element('a', { class: 'kept', hidden: true }, 'Open the stored transcript');
  #turns = new TurnList({ label: 'Conversation', keyOf: ({ itemId }) => itemId, prefix: 'said' });
  #empty = element(
    'p',
    { class: 'empty' },
    'Press Start and say something, or type below. ',
    'Every word is in the journal before you see it.',
  );
  #announcer = element('div', { class: 'unseen', role: 'status' });
  #text = element('input', {
    type: 'text',
    id: 'say',
    autocomplete: 'off',
    placeholder: 'Type instead of talking',
  });

  constructor() {
    const say = element(
      'form',
      { class: 'say', on: { submit: (event) => this.#say(event) } },
      element('label', { for: 'say', class: 'unseen' }, 'Type instead of talking'),
      this.#text,
      element('button', { type: 'submit' }, 'Send'),
    );
    this.element = element(
      'div',
      {},
      element(
        'section',
        { class: 'controls', 'aria-label': 'Controls' },
        this.#state,
        element('div', { class: 'buttons' }, this.#start, this.#mute, this.#interrupt),
      ),
      element(
        'section',
        { class: 'sound', 'aria-label': 'Sound and options' },
        element('div', { class: 'meters' }, this.#input.element, this.#output.element),
        element('div', { class: 'settings' }, labelled('Microphone', this.#devices), this.#options),
      ),
      this.#problems,
      this.#notice,
      this.#empty,
      this.#turns.element,
      this.#link,
      this.#announcer,
      say,
    );
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#listDevices());
    this.#showState();
  }

  async prepare(query) {
    if (query.get('session') && !this.#running) {
      this.#session.value = query.get('session');
      this.#options.open = true;
    }
    // Load the library now: browsers allow audio only shortly after the click on Start.
    await this.#load();
    await this.#listDevices();
  }

  async #load() {
    try {
      this.#library ??= import('../web/conversation.js');
      return (await this.#library).Conversation;
    } catch {
      this.#library = undefined;
      throw new Error('Part of this page could not be loaded. Is the relay running?');
    }
  }

  get #running() {
    return this.#connection !== 'idle' && this.#connection !== 'closed';
  }

  #startOrStop() {
    if (this.#running) return this.#talk.close();
    return this.#begin({ microphone: true });
  }

  async #begin({ microphone }) {
    this.#problems.replaceChildren();
    this.#notice.hidden = this.#link.hidden = true;
    this.#end = undefined;
    this.#microphone = microphone;
    this.#announced.clear();
    this.#turns.update([]);
    this.#connection = 'connecting';
    this.#showState();
    try {
      await call('/v1/sessions?limit=1'); // asks for the key if this relay requires one
      this.#talk = await this.#conversation(microphone);
      await this.#talk.connect();
    } catch (error) {
      this.#connection = 'closed';
      this.#trouble(error);
    }
    this.#listDevices();
    this.#showState();
  }

  async #conversation(microphone) {
    const Conversation = await this.#load();
    const session = this.#session.value.trim() || undefined;
    const model = this.#model.value.trim() || undefined;
    const user = session && key() ? (await read(sessionPath(session))).user : undefined;
    const talk = new Conversation({
      url: at('/v1/realtime').href.replace(/^http/, 'ws'),
      ...(key() ? { token: () => mint({ model, user, session: talk.sessionId ?? session }) } : {}),
      model,
      session,
      microphone,
      deviceId: this.#devices.value || undefined,
      playback: true,
      backup: true,
    });
    const hear = (type, listener) =>
      talk.addEventListener(type, ({ detail }) => {
        if (talk !== this.#talk) return;
        listener(detail);
        this.#showState();
      });
    hear('state', () => this.#stateChanged(talk));
    hear('turns', () => this.#showTurns());
    hear('event', (event) => this.#happened(event));
    hear('problem', (trouble) => this.#trouble(trouble));
    hear('ending', (warning) => this.#warn(warning));
    hear('ended', (end) => this.#ended(end));
    return talk;
  }

  #stateChanged(talk) {
    this.#connection = talk.state;
    if (talk.state === 'open') this.#meter();
    if (talk.state === 'closed') this.#answering = false;
  }

  #happened({ type, ...event }) {
    if (type === 'response.created') this.#answering = true;
    if (type === 'response.done') this.#answering = false;
    if (type === 'verbatim.upstream') {
      this.#notice.hidden = event.state === 'restored';
      this.#notice.textContent =
        'The relay lost the connection to its provider and is reconnecting. Your words are kept.';
    }
  }

  #warn({ close_reason: reason, in_ms: ms }) {
    const when = ms ? `in ${duration(ms)}` : 'soon';
    this.#notice.textContent = `This conversation ends ${when}: ${limits[reason] ?? reasonWords(reason)}.`;
    this.#notice.hidden = false;
  }

  #trouble({ code, message }) {
    if (advice[code] === null) return;
    if (String(code).startsWith('microphone_')) this.#microphone = false;
    this.#problems.replaceChildren(problem(advice[code] ?? message));
  }

  #ended({ reason, sessionId }) {
    this.#end = reason;
    this.#notice.hidden = true;
    this.#microphone = this.#answering = false;
    if (sessionId) this.#showLink(sessionId);
  }

  #showLink(id) {
    this.#link.href = `#/sessions/${encodeURIComponent(id)}`;
    this.#link.hidden = false;
  }

  #showTurns() {
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
    this.#turns.update(this.#talk.turns);
    if (this.#talk.sessionId) this.#showLink(this.#talk.sessionId);
    if (atEnd && this.element.isConnected) scrollTo({ top: document.documentElement.scrollHeight });
    // Announce completed turns only: a screen reader would repeat a partial turn at each word.
    for (const { itemId, role, status, text } of this.#talk.turns) {
      if (status === 'in_progress' || !text || this.#announced.has(itemId)) continue;
      this.#announced.add(itemId);
      this.#announcer.textContent = `${roles[role]}: ${text}`;
    }
  }

  #showState() {
    const open = this.#connection === 'open';
    this.#state.textContent = this.#words();
    this.#state.dataset.state = this.#connection;
    this.#start.textContent = this.#running ? 'Stop' : 'Start';
    this.#start.disabled = this.#connection === 'closing';
    this.#mute.disabled = this.#interrupt.disabled = !open;
    this.#interrupt.disabled ||= !this.#answering;
    const muted = Boolean(this.#talk?.muted);
    this.#mute.textContent = open && !this.#microphone ? 'Use the microphone' : 'Mute';
    if (this.#microphone && open) this.#mute.setAttribute('aria-pressed', String(muted));
    else this.#mute.removeAttribute('aria-pressed');
    this.#model.disabled = this.#session.disabled = this.#running;
    this.#empty.hidden = this.#running || this.#turns.element.children.length > 0;
    document.querySelector('nav a[href="#/talk"]').classList.toggle('running', this.#running);
  }

  #words() {
    switch (this.#connection) {
      case 'connecting':
        return 'Connecting…';
      case 'reconnecting':
        return 'The connection was lost. Reconnecting; nothing that was said is lost.';
      case 'closing':
        return 'Ending; the last words are being stored…';
      case 'closed':
        return this.#end ? `Ended: ${reasonWords(this.#end)}.` : 'Not connected.';
      case 'open':
        if (this.#answering) return 'Answering.';
        if (!this.#microphone) return 'Connected, without a microphone. Type below.';
        return this.#talk.muted ? 'Muted: you are not heard.' : 'Listening.';
      default:
        return 'Ready.';
    }
  }

  #meter() {
    if (this.#talk.state === 'closed') {
      this.#input.level = this.#output.level = 0;
      return;
    }
    const { input, output } = this.#talk.level;
    this.#input.level = this.#talk.muted ? 0 : input;
    this.#output.level = output;
    requestAnimationFrame(() => this.#meter());
  }

  async #muteOrUse() {
    if (this.#microphone) this.#talk.mute(!this.#talk.muted);
    else await this.#changeDevice();
    this.#showState();
  }

  async #changeDevice() {
    if (this.#connection !== 'open') return;
    this.#problems.replaceChildren();
    this.#microphone = true; // until a problem event says otherwise
    await this.#talk.useDevice(this.#devices.value || undefined);
    await this.#listDevices();
    this.#showState();
  }

  async #listDevices() {
    if (!navigator.mediaDevices || !this.#library) return;
    const Conversation = await this.#load();
    // Without permission, devices have no names and cannot be chosen.
    const named = (await Conversation.devices()).filter(({ deviceId, label }) => deviceId && label);
    const chosen = this.#devices.value;
    this.#devices.replaceChildren(
      ...[['', 'Default'], ...named.map(({ deviceId, label }) => [deviceId, label])].map(
        ([value, words]) => element('option', { value }, words),
      ),
    );
    this.#devices.value = named.some(({ deviceId }) => deviceId === chosen) ? chosen : '';
  }

  async #say(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    if (!text) return;
    if (!this.#running) await this.#begin({ microphone: false });
    if (this.#connection !== 'open') return; // keep the text in the input field
    this.#talk.sendText(text);
    this.#text.value = '';
  }
}
