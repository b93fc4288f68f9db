// A spoken conversation with a tool, in React.
import { useConversation, useLevel } from 'verbatim-client/react';

const tools = {
  get_weather: {
    description: 'The weather in a town.',
    parameters: { type: 'object', properties: { town: { type: 'string' } } },
    run: ({ town }) => ({ town, sky: 'clear', celsius: 21 }),
  },
};

export function App({ url, token }) {
  const talk = useConversation({ url, token, tools, instructions: 'You are friendly and brief.' });
  const { input, output } = useLevel(talk.conversation);
  const running = talk.state !== 'idle' && talk.state !== 'closed';
  const say = (form) => talk.sendText(form.get('text'));
  return (
    <main>
      {/* connect() rejects with the error that `problem` shows */}
      <button id="start" onClick={() => (running ? talk.close() : talk.connect().catch(() => {}))}>{running ? 'Stop' : 'Start'}</button>
      <p id="state">{talk.problem ? `${talk.problem.message} ${talk.problem.advice}` : talk.answering ? 'answering' : talk.state}</p>
      <meter value={input} max="0.3" /> <meter value={output} max="0.3" />
      <ol id="turns">
        {talk.turns.map(({ itemId, role, text }) => <li key={itemId} className={role}>{text}</li>)}
      </ol>
      <form id="say" action={say}><input id="text" name="text" /><button>Send</button></form>
    </main>
  );
}
