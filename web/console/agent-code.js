// The agent of the page Talk as code for a page or a program: the client library, `openai`, `@openai/agents`.
import { at } from './api.js';
import { element } from './dom.js';
import { copyButton, tabs } from './ui.js';

const text = (value) => JSON.stringify(value);
const indented = (value, by) => JSON.stringify(value, null, 2).replaceAll('\n', `\n${' '.repeat(by)}`);
const relay = () => at('/').href.replace(/\/$/, '');

/** Code for the client library (docs/browser.md). */
export function forVerbatim({ settings, tools, model }) {
  const lines = [
    `import { Conversation } from '${relay()}/web/v1/verbatim.js';`,
    ``,
    `const talk = new Conversation({`,
    `  url: '${relay().replace(/^http/, 'ws')}/v1/realtime',`,
    `  token: async () => (await (await fetch('/my-back-end/token')).json()).value,`,
  ];
  if (model) lines.push(`  model: ${text(model)},`);
  for (const [name, value] of Object.entries(settings)) lines.push(`  ${name}: ${text(value)},`);
  if (tools.length > 0) {
    lines.push(`  tools: {`);
    for (const { name, description, parameters, answer } of tools) {
      lines.push(`    ${text(name)}: {`);
      if (description) lines.push(`      description: ${text(description)},`);
      if (parameters) lines.push(`      parameters: ${indented(parameters, 6)},`);
      lines.push(`      run: async (args) => (${indented(answer ?? {}, 6)}),`, `    },`);
    }
    lines.push(`  },`);
  }
  lines.push(`});`, `talk.on('turns', (turns) => console.log(turns));`, `await talk.connect();`);
  return `${lines.join('\n')}\n`;
}

/** The provider's session object. */
export function sessionOf({ settings, tools }) {
  const { instructions, voice, modality, turnDetection } = settings;
  const audio = {
    ...(turnDetection !== undefined
      ? { input: { turn_detection: turnDetection === null ? null : { type: turnDetection } } }
      : {}),
    ...(voice ? { output: { voice } } : {}),
  };
  return {
    type: 'realtime',
    ...(instructions ? { instructions } : {}),
    ...(modality ? { output_modalities: [modality] } : {}),
    ...(Object.keys(audio).length ? { audio } : {}),
    ...(tools.length
      ? {
          tools: tools.map(({ name, description, parameters }) => ({
            type: 'function',
            name,
            ...(description ? { description } : {}),
            parameters: parameters ?? { type: 'object', properties: {} },
          })),
        }
      : {}),
  };
}

/** Code for Node with `openai`. */
export function forOpenai(agent) {
  const { tools, model } = agent;
  const answers = Object.fromEntries(tools.map(({ name, answer }) => [name, answer ?? {}]));
  const lines = [
    `import OpenAI from 'openai';`,
    `import { OpenAIRealtimeWS } from 'openai/realtime/ws';`,
    ``,
    `const client = new OpenAI({ baseURL: '${relay()}/v1', apiKey: process.env.VERBATIM_API_KEY });`,
    `const realtime = new OpenAIRealtimeWS({ model: ${text(model ?? 'gpt-realtime')}, reconnect: true }, client);`,
    ``,
    `realtime.on('session.created', () => realtime.send({ type: 'session.update', session: ${indented(sessionOf(agent), 0)} }));`,
    `realtime.on('error', (error) => console.error(error));`,
  ];
  if (tools.length > 0) {
    lines.push(
      `const answers = ${indented(answers, 0)};`,
      `realtime.on('response.output_item.done', ({ item }) => {`,
      `  if (item.type !== 'function_call') return;`,
      `  const output = JSON.stringify(answers[item.name]);`,
      `  realtime.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: item.call_id, output } });`,
      `  realtime.send({ type: 'response.create' });`,
      `});`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Code for a page or Node with `@openai/agents`. */
export function forAgents({ settings, tools, model }) {
  const lines = [
    `import { RealtimeAgent, RealtimeSession${tools.length ? ', tool' : ''} } from '@openai/agents/realtime';`,
    ``,
    `const agent = new RealtimeAgent({`,
    `  name: 'agent',`,
    `  instructions: ${text(settings.instructions ?? '')},`,
  ];
  if (settings.voice) lines.push(`  voice: ${text(settings.voice)},`);
  if (tools.length > 0) {
    lines.push(`  tools: [`);
    for (const { name, description, parameters, answer } of tools)
      lines.push(
        `    tool({`,
        `      name: ${text(name)},`,
        `      description: ${text(description ?? '')},`,
        `      parameters: ${indented({ ...(parameters ?? { type: 'object', properties: {} }), additionalProperties: true }, 6)},`,
        `      strict: false,`,
        `      execute: async () => JSON.stringify(${text(answer ?? {})}),`,
        `    }),`,
      );
    lines.push(`  ],`);
  }
  lines.push(
    `});`,
    `const session = new RealtimeSession(agent, { transport: 'websocket', model: ${text(model ?? 'gpt-realtime')} });`,
    `await session.connect({ apiKey: token, url: '${relay().replace(/^http/, 'ws')}/v1/realtime?model=${encodeURIComponent(model ?? 'gpt-realtime')}' });`,
  );
  return `${lines.join('\n')}\n`;
}

const kinds = [
  ['verbatim', 'Client library', forVerbatim],
  ['openai', 'openai', forOpenai],
  ['agents', '@openai/agents', forAgents],
];

/** Shows the code in a dialog. */
export function showCode(agent) {
  const box = (code) => element('div', { class: 'code-box', tabindex: '0' }, element('pre', {}, code), copyButton(code, 'Copy the code'));
  const dialog = element('dialog', { class: 'wide', 'aria-labelledby': 'code-title' });
  dialog.append(
    element('h2', { id: 'code-title' }, 'This agent as code'),
    tabs('For', kinds.map(([name, label, of]) => ({ name, label, show: () => box(of(agent)) })), 'verbatim'),
    element('p', { class: 'buttons' }, element('button', { type: 'button', on: { click: () => dialog.close() } }, 'Close')),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
