// React hooks.
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { Conversation } from '../verbatim.js';
import type { Level, Options, Tools } from '../verbatim.d.ts';
import type { UseConversation } from '../react.d.ts';

const silence: Level = { input: 0, output: 0 };

export function useConversation(options: Options = {}): UseConversation {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const [conversation] = useState(() => new Conversation(following(latest.current, () => latest.current)));
  useEffect(() => () => void conversation.close(), [conversation]);
  const snapshot = useSyncExternalStore(
    (changed) => conversation.subscribe(changed),
    () => conversation.snapshot,
    () => conversation.snapshot,
  );
  const calls = useMemo(() => ({
    conversation,
    connect: () => conversation.connect(),
    close: () => conversation.close(),
    sendText: (text: string) => conversation.sendText(text),
    interrupt: () => conversation.interrupt(),
    mute: (value: boolean) => conversation.mute(value),
    startTurn: () => conversation.startTurn(),
    endTurn: () => conversation.endTurn(),
  }), [conversation]);
  return { ...snapshot, ...calls };
}

/** The same options, with functions that call those of the latest render. */
function following(options: Options, latest: () => Options): Options {
  const tools: Tools = {};
  for (const [name, tool] of Object.entries(options.tools ?? {})) {
    tools[name] = { ...tool, run: (args, call) => (latest().tools?.[name] ?? tool).run(args, call) };
  }
  const { token } = options;
  return {
    ...options,
    ...(options.tools && { tools }),
    ...(typeof token === 'function' && {
      token: () => {
        const now = latest().token;
        return typeof now === 'function' ? now() : (now ?? token());
      },
    }),
  };
}

export function useLevel(conversation: Conversation): Level {
  const [level, setLevel] = useState(silence);
  useEffect(() => conversation.on('level', setLevel), [conversation]);
  return level;
}
