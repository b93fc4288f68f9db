// The page Talk: an agent that is set up, changed, saved, and shown as code.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { transform } from 'esbuild';
import { startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { startBrowser } from './support/browser.mjs';
import { openConsole } from './support/console.mjs';
import { open, simulator } from './support/console-setup.mjs';

const clipboard = { permissions: ['clipboard-read', 'clipboard-write'] };

describe('the page Talk', { concurrency: 3 }, () => {
  test('wrong JSON is marked where it stands, and no conversation begins', async (t) => {
    const page = await open(t, '#/talk');
    const tools = page.getByLabel('Tools, each with the answer that this page gives');
    await tools.fill('[{"description": "without a name"}]');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('alert').getByText('Each tool needs a name.').waitFor();
    assert.equal(await tools.getAttribute('aria-invalid'), 'true');
    await tools.fill('[');
    await page.getByRole('button', { name: 'Copy as code' }).click();
    await page.getByRole('alert').getByText('This is not JSON').waitFor();
    await page.getByText('Ready.').waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('an agent is saved, chosen again after a reload, and deleted', async (t) => {
    const page = await open(t, '#/talk');
    await page.getByLabel('Instructions').fill('You are a parrot.');
    await page.getByLabel('Voice').fill('marin');
    await page.getByText('Save this agent').click();
    await page.getByLabel('Name').fill('Parrot');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.reload();
    assert.equal(await page.getByLabel('Instructions').inputValue(), '');
    await page.getByLabel('Saved agents').selectOption('Parrot');
    assert.equal(await page.getByLabel('Instructions').inputValue(), 'You are a parrot.');
    assert.equal(await page.getByLabel('Voice').inputValue(), 'marin');
    await page.getByText('Save this agent').click();
    await page.getByRole('button', { name: 'Delete' }).click();
    assert.equal(await page.getByLabel('Saved agents').locator('option').count(), 1);
  });

  test('the agent is shown as code for the client library, openai and @openai/agents', async (t) => {
    const page = await open(t, '#/talk', clipboard);
    await page.getByLabel('Instructions').fill('You are "brief".');
    await page.getByRole('button', { name: 'Insert an example' }).click();
    await page.getByRole('button', { name: 'Copy as code' }).click();
    const dialog = page.getByRole('dialog');
    const wanted = { 'Client library': /new Conversation\(\{/, openai: /new OpenAIRealtimeWS\(/, '@openai/agents': /new RealtimeAgent\(\{/ };
    for (const [name, part] of Object.entries(wanted)) {
      await dialog.getByRole('tab', { name, exact: true }).click();
      await dialog.getByRole('button', { name: 'Copy the code' }).click();
      await dialog.getByText('Copied').waitFor();
      const code = await page.evaluate(() => navigator.clipboard.readText());
      assert.match(code, part);
      assert.ok(code.includes('"You are \\"brief\\"."'), code);
      assert.ok(code.includes('get_weather'), code);
      await transform(code, { format: 'esm' }); // its syntax is right
    }
    await page.keyboard.press('Escape');
    assert.deepEqual(await page.wrongs(), []);
  });

  test("a conversation with a token's terms is that user's, within its limits", async (t) => {
    const own = await startRelay(t, { key: null, simulator, set: ['session.ending_notice=3s'] });
    const page = await open(t, '#/talk', {}, own);
    await page.getByText('Session and token').click();
    await page.getByLabel('User of the token').fill('ada');
    await page.getByLabel('Terms of the token').fill('{"metadata": {"course": "7"}, "limits": {"max_duration": 4}}');
    await page.getByLabel('Type instead of talking').fill('Who am I?');
    await page.keyboard.press('Enter');
    await page.getByText('Ended: maximum duration reached.').waitFor();
    const { sessions } = (await own.request('/v1/sessions')).json;
    assert.deepEqual([sessions[0].user, sessions[0].metadata], ['ada', { course: '7' }]);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('instructions change in the running conversation', async (t) => {
    const page = await open(t, '#/talk');
    await page.getByLabel('Type instead of talking').fill('First.');
    await page.keyboard.press('Enter');
    await page.locator('.turn.assistant.completed').waitFor();
    await page.getByLabel('Instructions').fill('From now on you whisper.');
    await page.getByRole('button', { name: 'Apply to this conversation' }).click();
    await page.getByLabel('Search in events').fill('you whisper');
    await page.locator('.events > li', { hasText: 'session.updated' }).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('push to talk: an utterance is sent when the user says so', async (t) => {
    const provider = await startSimulator(t, [], '1');
    const own = await startRelay(t, { key: null, simulator: provider });
    const browser = await startBrowser(t, { microphone: [{ ms: 20_000, loud: true }] });
    const page = await openConsole(browser, own);
    await page.getByLabel('A turn ends').selectOption('none');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByText('Press Speak to say something.').waitFor();
    assert.equal(await page.locator('.turn').count(), 0);
    await page.getByRole('button', { name: 'Speak' }).click();
    await page.getByRole('meter', { name: 'You: loudness' }).and(page.locator('[aria-valuenow]:not([aria-valuenow="0"])')).waitFor();
    await page.evaluate(() => new Promise((done) => {
      // Half a second of frames of sound, by the page's own clock.
      let frames = 0;
      const step = () => (++frames > 30 ? done() : requestAnimationFrame(step));
      step();
    }));
    await page.getByRole('button', { name: 'Send what I said' }).click();
    await page.locator('.turn.user').waitFor();
    await page.locator('.turn.assistant').waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('answers can be written only, and the event pane shows no sound', async (t) => {
    const page = await open(t, '#/talk');
    await page.getByLabel('Answers are').selectOption('text');
    await page.getByLabel('Type instead of talking').fill('In writing, please.');
    await page.keyboard.press('Enter');
    await page.locator('.turn.assistant.completed').waitFor();
    const types = await page.getByRole('combobox', { name: 'Type', exact: true }).locator('option').allTextContents();
    assert.ok(types.includes('response.output_text.delta') && !types.some((type) => /audio\.delta/.test(type)), types.join());
    await page.getByRole('button', { name: 'Stop' }).click();
  });
});
