// A recorded conversation of tones, its page in the console, and the sound of its player.
import { Scene, tone } from '../../e2e/support/scene.mjs';
import { openConsole } from './console.mjs';

const perMs = 48; // bytes
const silence = (ms) => Buffer.alloc(ms * perMs);

/** Samples that look like speech in a waveform: syllables, and pauses between words. */
export function voice(ms, hertz) {
  const samples = Int16Array.from({ length: (ms * perMs) / 2 }, (_, i) => {
    const at = i / 24_000;
    const syllables = Math.abs(Math.sin(at * 11 + Math.sin(at * 3.7)));
    const words = Math.max(0, Math.sin(at * 5.3 + 2 * Math.sin(at * 1.9)) + 0.6) / 1.6;
    return 15_000 * syllables * words * Math.sin(at * 2 * Math.PI * hertz);
  });
  return Buffer.from(samples.buffer);
}

/** The silence in the first answer: ms after its begin. */
export const pauseOfAnswer = [2000, 5000];

/**
 * The user says 1 s of 400 Hz. The first answer is 2 s of 600 Hz, 3 s of silence and 2 s of 800 Hz. The second one is
 * 2 s of 1000 Hz, `rest` ms of silence and 2 s of 1200 Hz.
 */
export async function recordedScene(t, { rest = 22_000, set = [] } = {}) {
  const scene = await Scene.start(t, set);
  await scene.speak('u1', tone(400, 1000));
  await scene.answer('a1', tone(600, 2000), silence(3000), tone(800, 2000));
  await scene.answer('a2', tone(1000, 2000), silence(rest), tone(1200, 2000));
  const { turns } = await scene.end();
  scene.ordinal = (item) => turns.find((turn) => turn.item_id === item).ordinal;
  scene.peaks = (await scene.recording('/peaks')).json;
  scene.spoken = (item) => scene.peaks.spoken.find((one) => one.item_id === item);
  return scene;
}

/** The page of the session, with the key in the tab. `page.ranges`: the sizes of the fetched parts of the file. */
export async function openRecorded(t, browser, scene, options = {}, id = scene.id) {
  const page = await openConsole(browser, scene.relay, 'docs/api', options);
  t.after(() => page.context().close());
  page.ranges = [];
  page.on('response', async (response) => {
    if (!/\/recording\?attempt=\d+$/.test(response.url())) return;
    page.ranges.push({ status: response.status(), bytes: Number(response.headers()['content-length']) });
  });
  await page.evaluate((key) => sessionStorage.setItem('verbatim.key', key), scene.relay.key);
  await page.goto(`${scene.relay.url}/#/sessions/${id}`);
  return page;
}

export const clock = (page) => page.locator('.player .clock');
export const slider = (page) => page.getByRole('slider', { name: 'Position in the recording' });
/** Seconds. */
export const position = async (page) => Number(await slider(page).getAttribute('aria-valuenow'));

/** Listens to the <audio> elements. `heard(hertz)` waits until this tone is the loudest one. */
export async function listen(page) {
  await page.locator('.player audio').first().waitFor({ state: 'attached' });
  await page.evaluate(async () => {
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    for (const one of document.querySelectorAll('.player audio')) context.createMediaElementSource(one).connect(analyser);
    analyser.connect(context.destination);
    await context.resume();
    window.loudest = () => {
      const levels = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(levels);
      const at = levels.indexOf(Math.max(...levels));
      return levels[at] > -60 ? (at * context.sampleRate) / analyser.fftSize : 0;
    };
  });
  return (hertz) => page.waitForFunction((wanted) => Math.abs(window.loudest() - wanted) < 30, hertz, { polling: 20 });
}

/** The places of the drawing in px: of the strokes of a speaker, and of the bars of the timeline, by ordinal. */
export const drawing = (page) =>
  page.evaluate(() => {
    const strokes = (who) => [...document.querySelector(`.strokes.${who}`).getAttribute('d').matchAll(/M([\d.]+) /g)].map(([, x]) => Number(x));
    const bars = [...document.querySelectorAll('.timeline .bar')].map((bar) => {
      const [whole] = bar.querySelectorAll('rect');
      return [Number(/-(\d+)-bar$/.exec(bar.id)[1]), { x: Number(whole.getAttribute('x')), width: Number(whole.getAttribute('width')) }];
    });
    const marks = [...document.querySelectorAll('.timeline text.axis')].map((text) => ({ words: text.textContent, x: Number(text.getAttribute('x')) }));
    return { user: strokes('user'), assistant: strokes('assistant'), bars: Object.fromEntries(bars), marks };
  });
