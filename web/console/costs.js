// Costs of a conversation, from the provider's usage and console.prices of the configuration.
import { read } from './api.js';

let known;

/** {currency, prices}; prices are empty if none are configured or they cannot be read. */
export function pricing() {
  known ??= read('/v1/config').then(
    ({ console }) => console ?? { prices: [] },
    (error) => {
      known = undefined;
      if (error.status === 401) throw error; // there is no key
      return { prices: [] };
    },
  );
  return known;
}

/** The cost of a usage object of the provider, or undefined if no price fits the model. */
export function costOf(usage, model, { prices = [] }) {
  const price = prices.find(({ model: name }) => (model ?? '').startsWith(name));
  if (!price || !usage?.total_tokens) return undefined;
  const input = usage.input_token_details ?? {};
  const output = usage.output_token_details ?? {};
  const cached = input.cached_tokens_details ?? { text_tokens: input.cached_tokens ?? 0 };
  const audioIn = input.audio_tokens ?? 0;
  const audioOut = output.audio_tokens ?? 0;
  const cachedAudio = Math.min(cached.audio_tokens ?? 0, audioIn);
  const textIn = Math.max(0, (usage.input_tokens ?? 0) - audioIn);
  const cachedText = Math.min(cached.text_tokens ?? 0, textIn);
  const textOut = Math.max(0, (usage.output_tokens ?? 0) - audioOut);
  const millionths =
    (textIn - cachedText) * price.text_input +
    cachedText * price.text_input_cached +
    textOut * price.text_output +
    (audioIn - cachedAudio) * price.audio_input +
    cachedAudio * price.audio_input_cached +
    audioOut * price.audio_output;
  return millionths / 1e6;
}

/** The cost of a session: of its attempts, each with its own model. */
export function costOfSession({ attempts }, known) {
  const costs = attempts.map(({ usage, model }) => costOf(usage, model, known)).filter((cost) => cost !== undefined);
  return costs.length > 0 ? costs.reduce((sum, cost) => sum + cost, 0) : undefined;
}

/** Small amounts with more digits: "USD 0.0042". */
export function money(amount, { currency = 'USD' } = {}) {
  const digits = amount === 0 || amount >= 1 ? 2 : amount >= 0.01 ? 3 : 5;
  return `${currency} ${amount.toFixed(digits)}`;
}
