// The relays to compare. Each uses TLS to the client and to the provider, one worker thread and no access
// log.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const here = new URL('.', import.meta.url).pathname;

const nginx = ({ port, providerPort, cert, key, directory }) => `
daemon off; master_process on; worker_processes 1; pid ${directory}/nginx.pid; error_log ${directory}/error.log;
worker_rlimit_nofile 20000;
events { worker_connections 9000; }
http {
  access_log off;
  client_body_temp_path ${directory}/t1; proxy_temp_path ${directory}/t2; fastcgi_temp_path ${directory}/t3;
  uwsgi_temp_path ${directory}/t4; scgi_temp_path ${directory}/t5;
  server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${cert}; ssl_certificate_key ${key};
    location / {
      proxy_pass https://127.0.0.1:${providerPort};
      proxy_http_version 1.1; proxy_buffering off; proxy_buffer_size 16k; proxy_buffers 4 16k;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
      proxy_read_timeout 1h; proxy_send_timeout 1h;
    }
  }
}
`;

const haproxy = ({ port, providerPort, pem }, mode) => `
global
  maxconn 9000
  nbthread 1
  tune.ssl.default-dh-param 2048
defaults
  mode ${mode}
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend clients
  bind 127.0.0.1:${port} backlog 4096 ${mode === 'http' ? `ssl crt ${pem}` : ''}
  default_backend provider
backend provider
  server one 127.0.0.1:${providerPort} ${mode === 'http' ? 'ssl verify none' : ''}
`;

function config(place, name, text) {
  const file = join(place.directory, name);
  writeFileSync(file, text);
  return file;
}

const nodeRelay = ({ port, providerPort, cert, key }, ...more) => [
  process.execPath,
  join(here, 'node_relay.mjs'),
  '--port', String(port),
  '--provider', `wss://127.0.0.1:${providerPort}/v1/realtime`,
  '--cert', cert,
  '--key', key,
  ...more,
];

/** By name: the preparation and the command of a relay. `settings` are additional settings of Verbatim. */
export const peers = {
  direct: { title: 'no relay', command: () => null },
  tcp: { title: 'HAProxy, TCP (TLS passed through)', command: (place) => ['haproxy', '-f', config(place, 'tcp.cfg', haproxy(place, 'tcp'))] },
  nginx: { title: 'nginx', command: (place) => ['nginx', '-c', config(place, 'nginx.conf', nginx(place))] },
  haproxy: { title: 'HAProxy', command: (place) => ['haproxy', '-f', config(place, 'haproxy.cfg', haproxy(place, 'http'))] },
  verbatim: {
    title: 'Verbatim',
    command: (place, settings = []) => [
      place.binary,
      'serve',
      ...[
        `server.listen=127.0.0.1:${place.port}`,
        `server.data_dir=${join(place.directory, 'data')}`,
        `tls.cert_file=${place.cert}`,
        `tls.key_file=${place.key}`,
        `upstream.url=wss://127.0.0.1:${place.providerPort}/v1/realtime`,
        `upstream.ca_file=${place.cert}`,
        'server.threads=1',
        'session.sessions_max=8000',
        'server.connections_max=8000',
        ...settings,
      ].flatMap((assignment) => ['--set', assignment]),
    ],
  },
  node: { title: 'Node, ws', command: (place) => nodeRelay(place) },
  'node-sqlite': {
    title: 'Node, ws and SQLite',
    command: (place) => nodeRelay(place, '--sqlite', join(place.directory, 'events.db')),
  },
};

async function accepts(port) {
  for (let tries = 0; tries < 200; ++tries) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('close', () => socket.destroy());
      setTimeout(() => socket.destroy(), 50);
    });
    if (open) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** Starts a relay on these cores; `null` for no relay. */
export async function startPeer(name, place, cores, settings) {
  mkdirSync(place.directory, { recursive: true });
  const command = peers[name].command(place, settings);
  if (!command) return null;
  const child = spawn('taskset', ['--cpu-list', cores, ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, VERBATIM_UPSTREAM_API_KEY: 'sk-bench-provider' },
  });
  let said = '';
  child.stderr.on('data', (data) => (said = (said + data).slice(-4000)));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let running = true;
  ended.then(() => (running = false));
  await Promise.race([
    accepts(place.port),
    ended.then((code) => {
      throw new Error(`${name} ended with ${code}: ${said}`);
    }),
  ]);
  return {
    pid: child.pid,
    log: () => said,
    async stop() {
      if (running) child.kill('SIGTERM');
      const late = setTimeout(() => running && child.kill('SIGKILL'), 15_000);
      await ended;
      clearTimeout(late);
    },
  };
}
