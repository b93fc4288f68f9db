// The container image: built from Dockerfile on a bare Debian, started as an unprivileged user, talked to, and
// replaced by a new container on the same volume during a conversation. It needs root and half an hour, so it is
// run by hand:
//
//   apt-get install debootstrap buildah
//   node --test tests/deploy/image.mjs
//
// The containers share a network of their own. A container runtime would give the image's user, environment and
// command to the program; this file reads them from the image and does the same.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Background, eventually, inTree, root } from './support/programs.mjs';

/** buildah with a store of its own, which ends with the test. */
class Images {
  constructor(t) {
    this.store = mkdtempSync(join(tmpdir(), 'verbatim-images-'));
    t.after(() => rmSync(this.store, { recursive: true, force: true }));
    this.options = ['--root', join(this.store, 'root'), '--runroot', join(this.store, 'run'), '--storage-driver', 'vfs'];
  }

  run(...args) {
    const { status, stdout, stderr } = spawnSync('buildah', [...this.options, ...args], { encoding: 'utf8', cwd: root, maxBuffer: 1 << 28 });
    assert.equal(status, 0, `buildah ${args.join(' ')}: ${stdout.slice(-4000)}${stderr.slice(-4000)}`);
    return stdout.trim();
  }

  /** The image that Dockerfile starts from, made of Debian's packages, or of a folder that VERBATIM_DEBIAN names. */
  base() {
    let folder = process.env.VERBATIM_DEBIAN;
    if (!folder) {
      folder = join(this.store, 'debian');
      execFileSync('debootstrap', ['--variant=minbase', 'bookworm', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
    }
    const container = this.run('from', 'scratch');
    this.run('add', '--quiet', container, folder, '/');
    this.run('commit', '--quiet', container, 'docker.io/library/debian:bookworm-slim');
    this.run('rm', container);
  }
}

/** A network with a loopback device only. */
async function network(t) {
  const keeper = new Background(t, 'unshare', ['--net', 'sh', '-ec', 'ip link set lo up; echo up; exec sleep 3600']);
  await keeper.printed(/^up$/m);
  // With processes of its own, as a container has, so that its end is the end of all that it started.
  const options = ['--target', String(keeper.child.pid), '--net', 'unshare', '--pid', '--fork', '--kill-child'];
  return (t, command, args, environment) => new Background(t, 'nsenter', [...options, command, ...args], environment);
}

/** The settings that a container runtime takes from an image. */
const settings = (images) => JSON.parse(images.run('inspect', '--type', 'image', 'verbatim')).Docker.config;

/** The process named `verbatim` below this one. */
function programBelow(pid) {
  if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'verbatim') return Number(pid);
  const threads = readdirSync(`/proc/${pid}/task`);
  const children = threads.flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean));
  return children.map(programBelow).find((found) => found);
}

/** Containers that share a network and a volume. */
class Containers {
  static async make(t, images, environment) {
    const containers = new Containers();
    const volume = mkdtempSync(join(tmpdir(), 'verbatim-volume-'));
    t.after(() => rmSync(volume, { recursive: true, force: true }));
    chownSync(volume, 10001, 10001); // as a runtime does that copies the image's folder to a new volume
    Object.assign(containers, { t, images, volume, environment, inNetwork: await network(t) });
    return containers;
  }

  make(name) {
    this.images.run('from', '--name', name, 'verbatim');
    this.images.run('config', '--volume', '/data-', name); // otherwise buildah's own volume hides the given one
  }

  run(name, command) {
    const options = ['--isolation', 'chroot', '--volume', `${this.volume}:/data`, ...this.environment.flatMap((one) => ['--env', one])];
    return this.inNetwork(this.t, 'buildah', [...this.images.options, 'run', ...options, name, '--', ...command]);
  }

  whenHealthy(name, command) {
    return eventually(async () => (await this.run(name, command).over).code === 0, `the container ${name} is healthy`);
  }
}

async function conversation(t, images) {
  const { User, Volumes, Labels, Healthcheck, Entrypoint, Cmd } = settings(images);
  assert.equal(User, 'verbatim');
  assert.deepEqual(Object.keys(Volumes), ['/data']);
  assert.equal(Labels['org.opencontainers.image.title'], 'Verbatim');
  assert.equal(Healthcheck.Test[0], 'CMD');
  const health = Healthcheck.Test.slice(1);

  const key = `vk_${randomBytes(32).toString('base64url')}`;
  const hash = `sha256:${createHash('sha256').update(key).digest('hex')}`;
  const containers = await Containers.make(t, images, [`VERBATIM_AUTH_API_KEYS=${hash}`]);
  for (const name of ['first', 'second']) containers.make(name);
  const first = containers.run('first', [...Entrypoint, ...Cmd]);
  await containers.whenHealthy('first', health);
  assert.equal(statSync(join(containers.volume, 'verbatim.db')).uid, 10001, 'the data belongs to the unprivileged user');

  const environment = { env: { ...process.env, VERBATIM_KEY: key } };
  const talk = containers.inNetwork(t, process.execPath, [inTree('tests/deploy/support/talk.mjs')], environment);
  await talk.printed(/^asked$/m);
  process.kill(programBelow(first.child.pid), 'SIGTERM'); // as `docker stop`
  assert.equal((await first.over).code, 0, first.output);
  containers.run('second', [...Entrypoint, ...Cmd]);
  const [line] = await talk.printed(/^\{.*\}$/m);
  const { code, attempt, turns } = JSON.parse(line);
  assert.equal(code, 1012, 'the old container sent the client to the new one');
  assert.equal(attempt, 1);
  assert.deepEqual(turns.filter(({ role }) => role === 'user').map(({ text }) => text), ['Before the upgrade?', 'After the upgrade?']);
}

test('the image builds, runs without privileges, talks, and is replaced during a conversation', async (t) => {
  const images = new Images(t);
  images.base();
  images.run('bud', '--isolation', 'chroot', '--format', 'docker', '--tag', 'verbatim', '.');
  // A test of its own: its containers end before the store of images is removed.
  await t.test('a conversation', (inner) => conversation(inner, images));
});
