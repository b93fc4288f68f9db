// The form of the agent on the page Talk: instructions, voice, tools, turn detection, model, and the terms of a token.
// An agent can be saved in this browser under a name.
import { choice, element, labelled } from './dom.js';
import { toast } from './ui.js';

const kept = 'verbatim.presets';
const voices = ['alloy', 'ash', 'ballad', 'cedar', 'coral', 'echo', 'marin', 'sage', 'shimmer', 'verse'];

const exampleTools = [
  {
    name: 'get_weather',
    description: 'The weather in a town.',
    parameters: { type: 'object', properties: { town: { type: 'string' } }, required: ['town'] },
    answer: { sky: 'clear', celsius: 21 },
  },
];

export class WrongInput extends Error {}

export class AgentForm {
  #fields = {
    instructions: element('textarea', { rows: '4', placeholder: 'You are a friendly receptionist. Be brief.' }),
    voice: element('input', { type: 'text', list: 'voices', autocomplete: 'off', placeholder: 'default' }),
    modality: choice({}, [
      ['', 'spoken'],
      ['text', 'written'],
    ]),
    turns: choice({}, [
      ['', 'the provider’s choice'],
      ['server_vad', 'by silence (server_vad)'],
      ['semantic_vad', 'by meaning (semantic_vad)'],
      ['none', 'push to talk'],
    ]),
    tools: element('textarea', { rows: '5', class: 'code', spellcheck: 'false', placeholder: '[]' }),
    model: element('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', value: 'gpt-realtime' }),
    session: element('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: 'new session' }),
    user: element('input', { type: 'text', autocomplete: 'off', placeholder: 'console' }),
    terms: element('textarea', { rows: '3', class: 'code', spellcheck: 'false', placeholder: '{"limits": {"max_duration": 600}}' }),
  };
  #wrong = { tools: element('p', { class: 'wrong', role: 'alert' }), terms: element('p', { class: 'wrong', role: 'alert' }) };
  #presets = choice({ on: { change: () => this.#choose() } }, [['', 'choose a saved agent']]);
  #name = element('input', { type: 'text', autocomplete: 'off', placeholder: 'name' });
  #remove = element('button', { type: 'button', class: 'small', on: { click: () => this.#forget() } }, 'Delete');
  #options;

  constructor() {
    const f = this.#fields;
    const example = element('button', { type: 'button', class: 'quiet', on: { click: () => this.#insertExample() } }, 'Insert an example');
    this.#options = element(
      'details',
      { class: 'options' },
      element('summary', {}, 'Session and token'),
      element(
        'div',
        { class: 'fields' },
        labelled('Session to continue', f.session),
        labelled('User of the token', f.user),
        labelled('Terms of the token: members of “verbatim” as JSON', f.terms),
        this.#wrong.terms,
        element('p', { class: 'hint' }, 'With a user or terms, the conversation gets a client token of its own, as a page of yours would.'),
      ),
    );
    this.element = element(
      'section',
      { class: 'agent', 'aria-label': 'Agent' },
      element('h2', {}, 'The agent'),
      labelled('Saved agents', this.#presets),
      labelled('Instructions', f.instructions),
      element('div', { class: 'two' }, labelled('Voice', f.voice), labelled('Answers are', f.modality)),
      element('datalist', { id: 'voices' }, voices.map((value) => element('option', { value }))),
      labelled('A turn ends', f.turns),
      element('div', {}, labelled('Tools, each with the answer that this page gives', f.tools), this.#wrong.tools, example),
      labelled('Model', f.model),
      this.#options,
      element(
        'details',
        {},
        element('summary', {}, 'Save this agent'),
        element(
          'div',
          { class: 'fields' },
          labelled('Name', this.#name),
          element('p', { class: 'buttons' }, element('button', { type: 'button', class: 'small', on: { click: () => this.#save() } }, 'Save'), this.#remove),
          element('p', { class: 'hint' }, 'Agents are saved in this browser only.'),
        ),
      ),
    );
    this.#listPresets();
  }

  /** While a conversation runs, only what can change in it is open. */
  set running(value) {
    for (const name of ['model', 'session', 'user', 'terms', 'modality', 'turns']) this.#fields[name].disabled = value;
  }

  set session(id) {
    this.#fields.session.value = id;
    this.#options.open = true;
  }

  /**
   * The settings of the conversation, and the terms of its token: {settings, tools, model, session, user, terms}.
   * Throws WrongInput, with the field marked, if one cannot be read.
   */
  read() {
    const value = (name) => this.#fields[name].value.trim();
    const tools = this.#json('tools', checkTools) ?? [];
    const terms = this.#json('terms', checkTerms);
    const settings = {};
    if (value('instructions')) settings.instructions = value('instructions');
    if (value('voice')) settings.voice = value('voice');
    if (value('modality')) settings.modality = value('modality');
    if (value('turns')) settings.turnDetection = value('turns') === 'none' ? null : value('turns');
    return {
      settings,
      tools,
      model: value('model') || undefined,
      session: value('session') || undefined,
      user: value('user') || undefined,
      terms,
    };
  }

  #json(name, check) {
    const field = this.#fields[name];
    const wrong = this.#wrong[name];
    wrong.textContent = '';
    field.removeAttribute('aria-invalid');
    const text = field.value.trim();
    if (!text) return undefined;
    try {
      const value = JSON.parse(text);
      check(value);
      return value;
    } catch (error) {
      field.setAttribute('aria-invalid', 'true');
      wrong.textContent = error instanceof SyntaxError ? `This is not JSON: ${error.message}.` : error.message;
      if (name === 'terms') this.#options.open = true;
      field.focus();
      throw new WrongInput(wrong.textContent);
    }
  }

  #insertExample() {
    this.#fields.tools.value = JSON.stringify(exampleTools, null, 2);
    this.#fields.tools.rows = 12;
  }

  // ---- Presets ----

  get #saved() {
    try {
      return JSON.parse(localStorage.getItem(kept) ?? '{}');
    } catch {
      return {};
    }
  }

  #listPresets() {
    const names = Object.keys(this.#saved).sort();
    this.#presets.replaceChildren(
      ...[['', names.length ? 'choose a saved agent' : 'none yet'], ...names.map((name) => [name, name])].map(([value, words]) =>
        element('option', { value }, words),
      ),
    );
    this.#remove.disabled = names.length === 0;
  }

  #save() {
    const name = this.#name.value.trim();
    if (!name) {
      this.#name.focus();
      return;
    }
    const values = Object.fromEntries(Object.entries(this.#fields).map(([field, { value }]) => [field, value]));
    delete values.session; // of one conversation, not of the agent
    localStorage.setItem(kept, JSON.stringify({ ...this.#saved, [name]: values }));
    this.#listPresets();
    this.#presets.value = name;
    toast(`The agent “${name}” is saved in this browser.`);
  }

  #choose() {
    const name = this.#presets.value;
    const values = this.#saved[name];
    if (!values) return;
    for (const [field, value] of Object.entries(values))
      if (this.#fields[field] && !this.#fields[field].disabled) this.#fields[field].value = value;
    this.#name.value = name;
  }

  #forget() {
    const name = this.#name.value.trim() || this.#presets.value;
    const rest = this.#saved;
    if (!(name in rest)) return;
    delete rest[name];
    localStorage.setItem(kept, JSON.stringify(rest));
    this.#listPresets();
    toast(`The agent “${name}” is deleted.`);
  }
}

function checkTools(value) {
  if (!Array.isArray(value)) throw new Error('The tools are a list: [{"name": …, "description": …, "parameters": …, "answer": …}].');
  for (const { name } of value) if (typeof name !== 'string' || !name) throw new Error('Each tool needs a name.');
}

function checkTerms(value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('The terms are an object: {"limits": {"max_duration": 600}}.');
}

/** The tools as the client library takes them: each gives its answer. */
export const runnable = (tools) =>
  Object.fromEntries(
    tools.map(({ name, description, parameters, answer }) => [name, { description, parameters, run: () => answer ?? {} }]),
  );
