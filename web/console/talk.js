// The Talk page: tries an agent, by voice or typed without a microphone. The conversation continues while other
// pages are shown.
import { AgentForm, WrongInput, runnable } from './agent.js';
import { at, call, mint, read, sessionPath } from './api.js';
import { showCode } from './agent-code.js';
import { choice, element, labelled, problem } from './dom.js';
import { EventList } from './event-list.js';
import { key } from './key.js';
import { Meter } from './meter.js';
import { TurnList } from './turns.js';
import { chip } from './ui.js';
import { duration, reasonWords, roles, wait } from './words.js';

let kept;

export async function show({ page, query, arrived }) {
  kept ??= new TalkPage();
  page.append(kept.element);
  arrived();
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
  #pushing = false; // push to talk: the user speaks now
  #byTurns = false; // push to talk is on
  #connection = 'idle';
  #end;
  #began = 0;
  #asked; // when the last utterance ended or the last answer was asked for
  #waits = new Map(); // response id -> ms until its first audio or word
  #calls = new Map(); // call id -> the tool call as the API has it
  #announced = new Set();

  #agent = new AgentForm();
  #events = new EventList({ directions: false, newestFirst: true, label: 'Events of the conversation' });
  #state = element('p', { class: 'state', role: 'status' });
  #start = element('button', { type: 'button', class: 'primary', on: { click: () => this.#startOrStop() } });
  #mute = element('button', { type: 'button', on: { click: () => this.#muteOrUse() } });
  #push = element('button', { type: 'button', hidden: true, on: { click: () => this.#pushOrSend() } });
  #interrupt = element(
    'button',
    { type: 'button', on: { click: () => this.#talk.interrupt() } },
    'Interrupt',
  );
  #apply = element('button', { type: 'button', hidden: true, on: { click: () => this.#configure() } }, 'Apply to this conversation');
  #devices = choice({ on: { change: () => this.#changeDevice() } }, [['', 'Default']]);
  #speakers = choice({ on: { change: () => this.#changeSpeaker() } }, [['', 'Default']]);
  #input = new Meter('You');
  #output = new Meter('Answer');
  #problems = element('div', { class: 'problems' });
  #notice = element('p', { class: 'notice', role: 'status', hidden: true });
  #link = element('a', { class: 'kept', hidden: true }, 'Open the stored transcript');
  #turns = new TurnList({
    label: 'Conversation',
    keyOf: ({ itemId, call_id: call }) => itemId ?? `tool-${call}`,
    prefix: 'said',
    extras: (turn) => this.#extras(turn),
  });
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
    const code = element('button', { type: 'button', on: { click: () => this.#showCode() } }, 'Copy as code');
    this.#agent.element.append(element('p', { class: 'buttons' }, this.#apply, code));
    this.element = element(
      'div',
      { class: 'bench' },
      this.#agent.element,
      element(
        'div',
        { class: 'stage' },
        element(
          'section',
          { class: 'controls', 'aria-label': 'Controls' },
          this.#state,
          element('div', { class: 'buttons' }, this.#start, this.#push, this.#mute, this.#interrupt),
          element('div', { class: 'meters' }, this.#input.element, this.#output.element),
        ),
        element('div', { class: 'devices' }, labelled('Microphone', this.#devices), labelled('Loudspeaker', this.#speakers)),
        this.#problems,
        this.#notice,
        this.#empty,
        this.#turns.element,
        this.#link,
        this.#announcer,
        say,
      ),
      element('section', { class: 'watch', 'aria-label': 'Events' }, element('h2', {}, 'Events'), this.#events.element),
    );
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#listDevices());
    this.#showState();
  }

  async prepare(query) {
    if (query.get('session') && !this.#running) this.#agent.session = query.get('session');
    // Load the library now: browsers allow audio only shortly after the click on Start.
    await this.#load();
    await this.#listDevices();
  }

  async #load() {
    try {
      this.#library ??= import('../web/v1/verbatim.js');
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
    let agent;
    try {
      agent = this.#agent.read();
    } catch (error) {
      if (!(error instanceof WrongInput)) throw error;
      return;
    }
    this.#notice.hidden = this.#link.hidden = true;
    this.#end = undefined;
    this.#byTurns = agent.settings.turnDetection === null;
    this.#microphone = microphone && agent.settings.modality !== 'text';
    this.#pushing = false;
    for (const known of [this.#announced, this.#waits, this.#calls]) known.clear();
    this.#turns.update([]);
    this.#events.clear();
    this.#began = performance.now();
    this.#connection = 'connecting';
    this.#showState();
    try {
      await call('/v1/sessions?limit=1'); // asks for the key if this relay requires one
      this.#talk = await this.#conversation(agent);
      await this.#talk.connect();
    } catch (error) {
      this.#connection = 'closed';
      this.#trouble(error);
    }
    this.#listDevices();
    this.#showState();
  }

  async #conversation({ settings, tools, model, session, user, terms }) {
    const Conversation = await this.#load();
    const owner = session && key() ? (await read(sessionPath(session))).user : undefined;
    const wanted = { model, user: owner ?? user, terms };
    const needsToken = Boolean(key() || user || terms);
    const talk = new Conversation({
      url: at('/v1/realtime').href.replace(/^http/, 'ws'),
      ...(needsToken ? { token: () => mint({ ...wanted, session: talk.sessionId ?? session }) } : {}),
      ...settings,
      ...(tools.length > 0 ? { tools: runnable(tools) } : {}),
      model,
      session,
      microphone: this.#microphone,
      deviceId: this.#devices.value || undefined,
      sinkId: this.#speakers.value || undefined,
      playback: settings.modality !== 'text',
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
    hear('tool', (event) => this.#toolChanged(event));
    hear('problem', (trouble) => this.#trouble(trouble));
    hear('ending', (warning) => this.#warn(warning));
    hear('ended', (end) => this.#ended(end));
    return talk;
  }

  /** Changes the agent of the running conversation. */
  #configure() {
    try {
      const { settings, tools } = this.#agent.read();
      delete settings.turnDetection; // fixed when the conversation begins
      delete settings.modality;
      this.#talk.configure({ ...settings, tools: runnable(tools) });
    } catch (error) {
      if (!(error instanceof WrongInput)) this.#trouble(error);
    }
  }

  #showCode() {
    try {
      showCode(this.#agent.read());
    } catch (error) {
      if (!(error instanceof WrongInput)) throw error;
    }
  }

  #stateChanged(talk) {
    this.#connection = talk.state;
    if (talk.state === 'open') this.#meter();
    if (talk.state === 'closed') this.#answering = this.#pushing = false;
  }

  #happened(event) {
    const { type } = event;
    const now = performance.now();
    this.#events.add({ ms: now - this.#began, dir: 's2c', event });
    if (type === 'input_audio_buffer.speech_stopped' || type === 'input_audio_buffer.committed') this.#asked = now;
    if (type === 'response.created') this.#answering = true;
    if (type === 'response.done') this.#answering = false;
    if (/^response\.(output_)?(audio|text)\.delta$/.test(type) && this.#asked !== undefined) {
      this.#waits.set(event.response_id, now - this.#asked);
      this.#asked = undefined;
      this.#showTurns();
    }
    if (type === 'verbatim.upstream') {
      this.#notice.hidden = event.state === 'restored';
      this.#notice.textContent =
        'The relay lost the connection to its provider and is reconnecting. Your words are kept.';
    }
  }

  #toolChanged({ name, callId, status, arguments: given, output }) {
    const known = this.#calls.get(callId);
    this.#calls.set(callId, {
      kind: 'function',
      name,
      call_id: callId,
      status: status === 'running' ? 'in_progress' : status,
      arguments: JSON.stringify(given ?? {}),
      output: output ?? null,
      started_at: known?.started_at ?? new Date().toISOString(),
      ended_at: status === 'running' ? null : new Date().toISOString(),
    });
    if (status !== 'running') this.#asked = performance.now();
    this.#showTurns();
  }

  #extras({ responseId }) {
    const took = this.#waits.get(responseId);
    if (took === undefined) return {};
    return { chips: [chip(`first audio ${wait(took)}`, { title: 'As this page measured it' })], signature: took };
  }

  #warn({ close_reason: reason, in_ms: ms }) {
    const when = ms ? `in ${duration(ms)}` : 'soon';
    this.#notice.textContent = `This conversation ends ${when}: ${limits[reason] ?? reasonWords(reason)}.`;
    this.#notice.hidden = false;
  }

  #trouble({ code, message, advice: more }) {
    if (advice[code] === null) return;
    if (String(code).startsWith('microphone_')) this.#microphone = false;
    this.#problems.replaceChildren(problem(advice[code] ?? [message, more].filter(Boolean).join(' ')));
  }

  #ended({ reason, sessionId }) {
    this.#end = reason;
    this.#notice.hidden = true;
    this.#microphone = this.#answering = this.#pushing = false;
    if (sessionId) this.#showLink(sessionId);
  }

  #showLink(id) {
    this.#link.href = `#/sessions/${encodeURIComponent(id)}`;
    this.#link.hidden = false;
  }

  /** The turns, with each tool call in front of the first turn that began after it. */
  #rows() {
    const rows = [];
    const calls = [...this.#calls.values()];
    for (const turn of this.#talk.turns) {
      while (calls.length > 0 && turn.startedAt > calls[0].started_at) rows.push(calls.shift());
      rows.push(turn);
    }
    return [...rows, ...calls];
  }

  #showTurns() {
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
    this.#turns.update(this.#rows());
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
    this.#push.hidden = !(open && this.#byTurns && this.#microphone);
    this.#push.textContent = this.#pushing ? 'Send what I said' : 'Speak';
    this.#push.setAttribute('aria-pressed', String(this.#pushing));
    this.#agent.running = this.#running;
    this.#apply.hidden = !open;
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
        if (this.#byTurns) return this.#pushing ? 'Speak now.' : 'Press Speak to say something.';
        return this.#talk.muted ? 'Muted: you are not heard.' : 'Listening.';
      default:
        return 'Ready.';
    }
  }

  async #pushOrSend() {
    this.#pushing = !this.#pushing;
    this.#showState();
    if (this.#pushing) await this.#talk.startTurn();
    else if (!(await this.#talk.endTurn())) this.#trouble({ message: 'That was too short to be heard.' });
    else this.#asked = performance.now();
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

  async #changeSpeaker() {
    if (this.#connection === 'open') await this.#talk.setSinkId(this.#speakers.value || undefined);
  }

  async #listDevices() {
    if (!navigator.mediaDevices || !this.#library) return;
    const Conversation = await this.#load();
    for (const [list, kind] of [
      [this.#devices, 'audioinput'],
      [this.#speakers, 'audiooutput'],
    ]) {
      // Without permission, devices have no names and cannot be chosen.
      const named = (await Conversation.devices(kind)).filter(({ deviceId, label }) => deviceId && label);
      const chosen = list.value;
      list.replaceChildren(
        ...[['', 'Default'], ...named.map(({ deviceId, label }) => [deviceId, label])].map(([value, words]) =>
          element('option', { value }, words),
        ),
      );
      list.value = named.some(({ deviceId }) => deviceId === chosen) ? chosen : '';
    }
  }

  async #say(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    if (!text) return;
    if (!this.#running) await this.#begin({ microphone: false });
    if (this.#connection !== 'open') return; // keep the text in the input field
    this.#talk.sendText(text);
    this.#asked = performance.now();
    this.#text.value = '';
  }
}
