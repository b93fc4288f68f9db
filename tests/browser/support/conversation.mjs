// A conversation held by the client library in a page, seen from the test.
import { deadline } from '../../e2e/support/process.mjs';
import { openPage } from './browser.mjs';

export class PageConversation {
  constructor(page) {
    this.page = page;
  }

  static async open(browser, relay, options = {}, at = {}) {
    return PageConversation.at(browser, `${relay.url}/`, '/web/conversation.js', options, at);
  }

  /** In a page of any server, with the library from `module`. */
  static async at(browser, url, module, options = {}, at = {}) {
    const page = await openPage(browser, url, at);
    const talk = new PageConversation(page);
    await talk.make(options, module);
    return talk;
  }

  /** A function cannot be sent to the page: `run` of a tool, and `token`, may be the name of one here. */
  make(options, module = '/web/conversation.js') {
    return this.page.evaluate(async ([given, from]) => {
      const { Conversation } = await import(from);
      if (given.tokens) {
        const tokens = [...given.tokens];
        given.token = async () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
      }
      if (given.token === 'never') given.token = () => new Promise(() => {});
      if (given.token === 'fails') given.token = async () => {
        throw new Error('the back end is down');
      };
      const runs = {
        echo: (args, { callId }) => ({ ...args, heard: typeof callId }),
        fails: () => {
          throw new Error('no weather today');
        },
        later: () => new Promise((resolve) => (window.finish = resolve)),
        never: (_, { signal }) => new Promise(() => signal.addEventListener('abort', () => (window.aborted = true))),
      };
      for (const tool of Object.values(given.tools ?? {})) tool.run = runs[tool.run];
      const sockets = [];
      const tracks = [];
      window.WebSocket = new Proxy(WebSocket, {
        construct: (Target, args) => sockets[sockets.push(new Target(...args)) - 1],
      });
      const { mediaDevices } = navigator;
      const get = mediaDevices?.getUserMedia.bind(mediaDevices);
      if (get) mediaDevices.getUserMedia = async (wish) => {
        const stream = await get(wish);
        tracks.push(...stream.getTracks());
        return stream;
      };
      const talk = new Conversation(given);
      const seen = [];
      for (const type of ['state', 'turns', 'event', 'problem', 'heard', 'tool', 'ending', 'ended']) {
        talk.addEventListener(type, ({ detail }) => seen.push({ type, detail: structuredClone(detail) }));
      }
      Object.assign(window, { talk, seen, Conversation, sockets, tracks });
    }, [options, module]);
  }

  connect() {
    return this.page.evaluate(() =>
      talk.connect().then(
        () => ({ session: talk.sessionId }),
        ({ code, message, advice, reason }) => ({ code, message, advice, reason }),
      ));
  }

  /** Waits until the function, run in the page, gives something, and gives that. */
  async until(find, argument) {
    const handle = await this.page.waitForFunction(find, argument, { polling: 20, timeout: deadline });
    return handle.jsonValue();
  }

  event(type) {
    return this.until((wanted) => seen.find((one) => one.type === 'event' && one.detail.type === wanted)?.detail, type);
  }

  detailOf(type) {
    return this.until((wanted) => seen.find((one) => one.type === wanted)?.detail, type);
  }

  turns() {
    return this.page.evaluate(() => talk.turns);
  }

  run(work, argument) {
    return this.page.evaluate(work, argument);
  }
}
