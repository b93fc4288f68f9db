// Runs the page's tools when an answer calls them, and sends their results.
import type { Problem, ServerEvent, Tool, ToolEvent, Tools } from '../core.d.ts';
import { messageOf, VerbatimError } from './errors.ts';

export interface ToolListener {
  send(event: object): void;
  tool(event: ToolEvent): void;
  problem(problem: Problem): void;
}

interface Round {
  open: number; // calls that run
  called: boolean;
  done: boolean; // the answer that made the calls is complete
}

export class ToolRunner {
  tools: Tools = {};
  #limitMs: number;
  #listener: ToolListener;
  #seen = new Set<string>(); // call ids: an event may come again after a reconnect
  #rounds = new Map<string, Round>(); // by response id
  #running = new Set<AbortController>();
  #answering = false;
  #wanted = false; // an answer to results, once the present answer is over

  constructor(limitMs: number, listener: ToolListener) {
    this.#limitMs = limitMs;
    this.#listener = listener;
  }

  apply(event: ServerEvent): void {
    switch (event.type) {
      case 'response.created':
        this.#answering = true;
        break;
      case 'response.output_item.done':
        if (event.item?.type === 'function_call' && event.item.status !== 'incomplete') this.#run(event.item, event.response_id);
        break;
      case 'response.done':
        this.#answered(event.response);
        break;
    }
  }

  /** Aborts the tools that run. Their results are dropped. */
  stop(): void {
    for (const controller of this.#running) controller.abort();
    this.#running.clear();
    this.#rounds.clear();
    this.#answering = this.#wanted = false;
  }

  #answered({ id, status }: ServerEvent): void {
    this.#answering = false;
    const round = this.#rounds.get(id);
    if (round) {
      round.done = true;
      // The user talked over the answer: the results are sent, but they need no answer of their own.
      if (status === 'cancelled') round.called = false;
      this.#finish(id, round);
    }
    this.#ask();
  }

  async #run(item: ServerEvent, response: string): Promise<void> {
    const { name, call_id: callId } = item as unknown as { name: string; call_id: string };
    const tool = Object.hasOwn(this.tools, name) ? this.tools[name] : undefined;
    if (!tool || this.#seen.has(callId)) return; // a back end may answer the calls of other tools
    this.#seen.add(callId);
    const round = this.#rounds.get(response) ?? { open: 0, called: true, done: false };
    this.#rounds.set(response, round);
    round.open += 1;
    const controller = new AbortController();
    this.#running.add(controller);
    const output = await this.#result(tool, name, callId, String(item.arguments), controller);
    if (!this.#running.delete(controller)) return; // stop() was called
    round.open -= 1;
    this.#listener.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: callId, output } });
    this.#finish(response, round);
    this.#ask();
  }

  /** Never rejects: the model gets an error as the output. */
  async #result(tool: Tool, name: string, callId: string, text: string, controller: AbortController): Promise<string> {
    let args: unknown = text;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const { signal } = controller;
    try {
      args = text ? JSON.parse(text) : {};
      this.#listener.tool({ name, callId, status: 'running', arguments: args });
      const limitMs = tool.timeout ?? this.#limitMs;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(new VerbatimError('tool_timeout', { message: `The tool ${name} did not finish within ${limitMs} ms.` }));
          controller.abort();
        }, limitMs);
        signal.addEventListener('abort', () => reject(signal.reason));
      });
      const result = await Promise.race([(async () => tool.run(args, { name, callId, signal }))(), late]);
      const output = typeof result === 'string' ? result : (JSON.stringify(result) ?? 'null');
      this.#listener.tool({ name, callId, status: 'completed', arguments: args, output });
      return output;
    } catch (cause) {
      const output = JSON.stringify({ error: messageOf(cause) });
      const known = cause instanceof VerbatimError ? cause : new VerbatimError('tool_failed', { cause, message: `The tool ${name} failed: ${messageOf(cause)}` });
      if (this.#running.has(controller)) {
        this.#listener.problem(known.problem);
        this.#listener.tool({ name, callId, status: 'failed', arguments: args, output });
      }
      return output;
    } finally {
      clearTimeout(timer);
    }
  }

  /** All results of an answer are sent, and the answer itself is complete. */
  #finish(response: string, round: Round): void {
    if (!round.done || round.open > 0) return;
    this.#rounds.delete(response);
    if (round.called) this.#wanted = true;
  }

  /** Two answers at once are refused by the provider. */
  #ask(): void {
    if (!this.#wanted || this.#answering) return;
    this.#wanted = false;
    this.#answering = true; // until the provider says so
    this.#listener.send({ type: 'response.create' });
  }
}
