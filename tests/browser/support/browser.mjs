// Chromium with a microphone that plays a file, and a page of the relay in it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { temporaryDirectory } from '../../e2e/support/process.mjs';

const rate = 24_000;

/** A WAV file: each part is {ms, loud}, or {ms, hertz}. Chromium plays it in a loop. */
export function wave(parts) {
  const samples = parts.flatMap(({ ms, loud, hertz = loud ? 424 : 0 }) =>
    Array.from({ length: (ms * rate) / 1000 }, (_, i) => Math.round(9000 * Math.sin((2 * Math.PI * hertz * i) / rate))));
  const data = Buffer.from(Int16Array.from(samples).buffer);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

export const silence = [{ ms: 1000, loud: false }];
/** One sentence, and a long time to listen. */
export const sentence = [{ ms: 400, loud: false }, { ms: 1500, loud: true }, { ms: 30_000, loud: false }];

/** `microphone` is what it hears, or 'refused'. One that is `killable` cannot give downloads.
 * Without `autoplay` it plays sound only after a click. Chromium's headless shell has the same engine and
 * takes half of the processor; `whole` is the program that people use, with its own questions for permission. */
export async function startBrowser(
  t, { microphone = silence, killable = false, autoplay = true, whole = microphone === 'refused' } = {}) {
  const args = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--ignore-certificate-errors',
    `--autoplay-policy=${autoplay ? 'no-user-gesture-required' : 'document-user-activation-required'}`,
  ];
  if (microphone === 'refused') {
    args.push('--use-fake-device-for-media-stream', '--deny-permission-prompts');
  } else {
    const file = join(temporaryDirectory(t), 'microphone.wav');
    writeFileSync(file, wave(microphone));
    args.push('--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
      `--use-file-for-fake-audio-capture=${file}`);
  }
  const executablePath = whole
    ? process.env.CHROMIUM ?? '/usr/bin/chromium'
    : process.env.CHROMIUM_SHELL ?? '/usr/bin/chromium-headless-shell';
  if (killable) {
    const server = await chromium.launchServer({ executablePath, args });
    t.after(() => server.kill());
    const browser = await chromium.connect(server.wsEndpoint());
    browser.kill = () => server.kill(); // by SIGKILL: it closes nothing in order
    return browser;
  }
  const browser = await chromium.launch({ executablePath, args });
  t.after(() => browser.close());
  return browser;
}

/** A page of the relay's own origin, and what went wrong in it. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') page.problems.push(`${message.text()} ${message.location().url}`);
  });
  await page.goto(url);
  return page;
}
