// A conversation held by the client library in a page, seen from the test.
import { openPage } from './browser.mjs';

export class PageConversation {
  constructor(page) {
    this.page = page;
  }

  static async open(browser, relay, options = {}, at = {}) {
    const page = await openPage(browser, `${relay.url}/`, at);
    const talk = new PageConversation(page);
    await talk.make(options);
    return talk;
  }

  make(options) {
    return this.page.evaluate(async (given) => {
      const { Conversation } = await import('/web/conversation.js');
      if (given.tokens) {
        const tokens = [...given.tokens];
        given.token = async () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
      }
      const talk = new Conversation(given);
      const seen = [];
      for (const type of ['state', 'turns', 'event', 'problem', 'heard', 'ending', 'ended']) {
        talk.addEventListener(type, ({ detail }) => seen.push({ type, detail: structuredClone(detail) }));
      }
      Object.assign(window, { talk, seen, Conversation });
    }, options);
  }

  connect() {
    return this.page.evaluate(() =>
      talk.connect().then(() => ({ session: talk.sessionId }), ({ code, message }) => ({ code, message })));
  }

  /** Waits until the function, run in the page, gives something, and gives that. */
  async until(find, argument) {
    const handle = await this.page.waitForFunction(find, argument, { polling: 20, timeout: 20_000 });
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
