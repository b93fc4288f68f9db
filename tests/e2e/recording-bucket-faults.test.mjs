// A bucket that refuses, breaks off or lies, and processes that are killed: no audio is lost (docs/recording.md).
import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { freePort, eventually } from './support/process.mjs';
import { S3 } from './support/s3.mjs';
import { Scene, session, tone } from './support/scene.mjs';
import { Client, startRelay } from './support/verbatim.mjs';

async function recorded(t, set = [], bytes = 0) {
  const scene = await Scene.start(t, set);
  await scene.speak('u1', tone(400, 300));
  await scene.end();
  const more = randomFillSync(Buffer.alloc(bytes));
  if (bytes > 0) appendFileSync(join(scene.folder(), '1.user.pcm'), more);
  scene.audio = Buffer.concat([tone(400, 300), more]); // the file may already be in the bucket alone
  return scene;
}

async function restart(scene, set = []) {
  await scene.relay.program.stop();
  scene.relay = await startRelay(scene.t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: [...scene.set, ...set] });
}

const files = (scene) => (existsSync(scene.folder()) ? readdirSync(scene.folder()).sort() : []);
const metric = async (scene, name) => Number(new RegExp(`^verbatim_recording_${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec((await scene.relay.request('/metrics')).text)[1]);
const going = (...more) => ['recording.s3_delete_local=true', 'recording.s3_local_idle=0s', ...more];
const inParts = ['recording.s3_single_bytes_max=5MiB', 'recording.s3_part_bytes=5MiB'];
/** All of the audio is in the bucket, once, and no longer here. */
async function complete(scene, s3) {
  await eventually(() => files(scene).length === 0, 'no file here');
  assert.deepEqual([...s3.objects.values()].map(({ bytes }) => bytes), [scene.audio]);
  assert.equal(s3.parts.size, 0, 'parts are left');
}

const destroyed = (response) => response.destroy();
// At once, because each waits until a file that was read may go.
describe('a fault of the bucket', { concurrency: 9 }, () => {
  for (const [name, fault, message, set = []] of [
    ['503 SlowDown', { fault: () => ({ status: 503, code: 'SlowDown' }) }, /upload: the service answers 503 SlowDown/],
    ['429 with Retry-After', { fault: () => ({ status: 429, code: 'TooManyRequests', headers: { 'retry-after': '0' } }) }, /answers 429 TooManyRequests/],
    ['500 without words', { fault: () => (response) => response.writeHead(500).end() }, /answers 500/],
    ['a wrong secret key', { secretKey: 'another secret' }, /answers 403 SignatureDoesNotMatch: recording\.s3_secret_key is wrong/],
    ['an unknown access key', { accessKey: 'AKIDANOTHER00000' }, /answers 403 InvalidAccessKeyId: recording\.s3_access_key is not known there/],
    ['a clock that differs', { now: () => Date.now() + 3_600_000 }, /RequestTimeTooSkewed: the clocks differ too much: here it is .*, there .*; set the clock of this machine/],
    ['another region', { region: 'eu-other-2' }, /AuthorizationHeaderMalformed: the bucket is in the region eu-other-2: set recording\.s3_region/],
    ['a redirect to another region', { fault: () => ({ status: 301, code: 'PermanentRedirect', headers: { 'x-amz-bucket-region': 'us-west-9' } }) }, /answers 301 PermanentRedirect: the bucket is in the region us-west-9/],
    ['no such bucket', { bucket: 'another' }, /answers 404 NoSuchBucket: there is no such bucket/],
    ['no right to write', { fault: () => ({ status: 403, code: 'AccessDenied' }) }, /answers 403 AccessDenied: the key lacks a right/],
    ['a connection that ends in the middle of the body', { before: () => (response, request) => request.once('data', () => response.destroy()) }, /upload: /],
    ['a connection that ends before the answer', { fault: () => destroyed }, /upload: /],
    ['no answer in time', { fault: () => () => {} }, /upload: .*(too slow|timed out)/i, ['recording.s3_timeout=1s']],
    ['a success, but another size in HEAD', { head: (headers) => ({ ...headers, 'content-length': headers['content-length'] - 1 }) }, /check of the object: the object has \d+ bytes, and the file \d+/],
    ['a success, but no metadata in HEAD', { head: ({ etag, 'content-length': length }) => ({ etag, 'content-length': length }) }, /has not kept the object's metadata/],
    ['a success, but another checksum in HEAD', { head: (headers) => ({ ...headers, 'x-amz-checksum-sha256': Buffer.alloc(32).toString('base64') }) }, /SHA-256 differs/],
    ['a success, but another ETag in HEAD', { head: (headers) => ({ ...headers, etag: `"${'0'.repeat(32)}"` }) }, /ETag differs from the file's MD5/],
    ['a success, but HEAD finds nothing', { fault: ({ method }) => method === 'HEAD' && { status: 404, code: 'NoSuchKey' } }, /check of the object: the service answers 404/],
  ])
    test(`the audio stays here, and is uploaded later: ${name} [P10][P15]`, async (t) => {
      const s3 = await S3.start(t);
      const well = { fault: s3.fault, before: s3.before, head: s3.head, bucket: s3.bucket, region: s3.region, secretKey: s3.secretKey, accessKey: s3.accessKey, now: undefined };
      const settings = s3.settings(...going(...set));
      Object.assign(s3, fault);
      const scene = await recorded(t, settings);
      await scene.relay.program.logged('recording.not_uploaded', 2);
      const line = scene.relay.program.stderr.split('\n').find((one) => one.includes('recording.not_uploaded'));
      assert.match(line, message);
      assert.ok(!line.includes(well.secretKey) && !line.includes('words of the service'));
      assert.equal(files(scene).join(), '1.user.pcm');
      assert.ok((await metric(scene, 'uploads_total{outcome="upload_failed"}')) >= 2);
      assert.equal(await metric(scene, 'uploads_waiting'), 1);
      assert.equal(await metric(scene, 'uploads_waiting_bytes'), scene.audio.length);
      assert.equal((await scene.recording()).status, 200);
      Object.assign(s3, well);
      await complete(scene, s3);
    });
});

test('pauses between tries double, and Retry-After lengthens one [P10]', async (t) => {
  const s3 = await S3.start(t);
  const answers = [{ 'retry-after': '3' }];
  s3.fault = () => ({ status: 503, code: 'SlowDown', headers: answers.shift() });
  const scene = await recorded(t, s3.settings(...going(), 'recording.s3_retry_min=50ms', 'recording.s3_retry_max=10s'));
  const tries = () => s3.calls.filter(({ method }) => method === 'PUT');
  await eventually(() => tries().length >= 6, 'six tries');
  const [asked, , , , last] = tries().slice(1).map(({ at }, i) => at - tries()[i].at);
  assert.ok(asked >= 2900, `${asked} ms after Retry-After: 3`); // its own pause is 50 ms
  assert.ok(last >= 400, `${last} ms after the fifth`); // at least half of 800 ms
  s3.fault = () => undefined;
  await complete(scene, s3);
});

test('no service, and one whose certificate is unknown, are failures with a reason [P10]', async (t) => {
  const port = await freePort();
  const s3 = await S3.start(t);
  const scene = await recorded(t, [...s3.settings(...going()), `recording.s3_endpoint=http://127.0.0.1:${port}`]);
  await scene.relay.program.logged('recording.not_uploaded');
  assert.match(scene.relay.program.stderr, /upload: Failed to connect|upload: .*refused/i);
  assert.equal(files(scene).join(), '1.user.pcm');
  const { certificate } = scene.relay;
  const tls = { cert: readFileSync(certificate), key: readFileSync(join(scene.relay.dataDir, 'tls', 'key.pem')) };
  const secure = await S3.start(t, { tls });
  await restart(scene, secure.settings());
  await scene.relay.program.logged('recording.not_uploaded');
  assert.match(scene.relay.program.stderr, /certificate/);
  assert.equal(secure.calls.length, 0);
  await restart(scene, [...secure.settings(), `recording.s3_ca_file=${certificate}`]);
  await complete(scene, secure);
});

test('a private address gets nothing unless it is allowed [P10]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t, [...s3.settings(), 'recording.s3_allow_private=false', `recording.s3_endpoint=https://127.0.0.1:${s3.port}`]);
  await scene.relay.program.logged('recording.not_uploaded');
  assert.match(scene.relay.program.stderr, /its address is private; recording\.s3_allow_private = true would admit it/);
  assert.equal(s3.calls.length, 0);
});

test('one recording that cannot be uploaded does not keep the others back [P10]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t, s3.settings(...going(), 'recording.s3_retry_min=5m', 'recording.s3_retry_max=5m'));
  await complete(scene, s3);
  s3.head = (headers) => (headers['content-length'] === size ? { ...headers, 'content-length': 1 } : headers);
  const size = tone(400, 100).length;
  const relay = { t, provider: scene.provider, relay: scene.relay, set: scene.set };
  const another = async (ms) => {
    const one = Object.assign(new Scene(), relay);
    one.client = await Client.connectWithId(t, one.relay, { token: await one.relay.mint({ user: 'ada' }), query: { model: 'm' } });
    one.id = one.client.id;
    await one.atProvider();
    one.line.say({ type: 'session.created', session });
    await one.client.event('session.created');
    await one.speak('u1', tone(400, ms));
    await one.end();
    return one;
  };
  const bad = await another(100);
  await scene.relay.program.logged('recording.not_uploaded');
  const good = await another(200);
  await eventually(() => files(good).length === 0, 'the upload of the other one');
  assert.equal(files(bad).join(), '1.user.pcm');
});

for (const [name, bytes, when] of [
  ['before the first byte', 0, (s3) => (s3.before = ({ method }) => method === 'PUT' && (() => {}))],
  ['when the service has the file and has not answered', 0, (s3) => (s3.fault = hangAfter(s3, 'PUT'))],
  ['before the check', 0, (s3) => (s3.before = ({ method }) => method === 'HEAD' && (() => {}))],
  ['after the check', 0, (s3) => (s3.fault = hangAfter(s3, 'HEAD'))],
  ['when an upload in parts has begun', 12 << 20, (s3) => (s3.fault = hangAfter(s3, 'POST', /uploads/))],
  ['after the first part', 12 << 20, (s3) => (s3.fault = hangAfter(s3, 'PUT', /partNumber=1/))],
  ['before the parts are joined', 12 << 20, (s3) => (s3.before = ({ method, search }) => method === 'POST' && /^uploadId/.test(search) && (() => {}))],
  ['when the parts are joined', 12 << 20, (s3) => (s3.fault = hangAfter(s3, 'POST', /^uploadId/))],
])
  test(`kill -9 ${name}: the next start uploads the file once and leaves no parts [P10][P15]`, async (t) => {
    const s3 = await S3.start(t);
    const scene = await recorded(t, [], bytes);
    const well = { fault: s3.fault, before: s3.before };
    when(s3);
    let hanging = false;
    for (const hook of ['fault', 'before']) {
      const ask = s3[hook];
      s3[hook] = (call) => {
        const answer = ask(call);
        hanging ||= typeof answer === 'function';
        return answer;
      };
    }
    const set = s3.settings(...going(...inParts), 'recording.s3_timeout=30s');
    await restart(scene, set);
    await eventually(() => hanging, 'the call');
    await scene.relay.program.stop('SIGKILL');
    assert.deepEqual(readFileSync(join(scene.folder(), '1.user.pcm')), scene.audio);
    Object.assign(s3, well);
    scene.relay = await startRelay(t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: [...scene.set, ...set] });
    await complete(scene, s3);
    const answer = await scene.recording('?track=user');
    assert.equal(answer.status, 200, answer.text);
  });

/** Does what the call asks for, and never answers it. */
function hangAfter(s3, method, search = /^/) {
  return (call) =>
    call.method === method &&
    search.test(call.search) &&
    ((response, body) => {
      const silent = { destroyed: false, writeHead() {}, end() {} };
      s3.answer(call, { method: call.method, headers: call.headers }, silent, body);
    });
}
