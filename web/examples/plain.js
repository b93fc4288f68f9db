// A spoken conversation with a tool, without a framework.
import { Conversation } from '/web/v1/verbatim.js';

const [start, state, turns, input, output, say, text, token] = ['start', 'state', 'turns', 'input', 'output', 'say', 'text', 'token']
  .map((id) => document.getElementById(id));

const talk = new Conversation({
  token: () => token.value.trim(), // a page of yours asks its own back end
  instructions: 'You are friendly and brief.',
  tools: {
    get_weather: {
      description: 'The weather in a town.',
      parameters: { type: 'object', properties: { town: { type: 'string' } } },
      run: ({ town }) => ({ town, sky: 'clear', celsius: 21 }),
    },
  },
});
talk.subscribe((now) => {
  const running = now.state !== 'idle' && now.state !== 'closed';
  start.textContent = running ? 'Stop' : 'Start';
  state.textContent = now.problem ? `${now.problem.message} ${now.problem.advice}` : now.answering ? 'answering' : now.state;
  turns.replaceChildren(...now.turns.filter((turn) => turn.text).map(({ role, text }) =>
    Object.assign(document.createElement('li'), { className: role, textContent: text })));
});
talk.on('level', (level) => [input.value, output.value] = [level.input, level.output]);
start.onclick = () => (start.textContent === 'Start' ? talk.connect().catch(() => {}) : talk.close()); // subscribe() has the error
say.onsubmit = (event) => {
  event.preventDefault();
  talk.sendText(text.value);
  say.reset();
};
