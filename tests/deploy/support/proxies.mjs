// The proxies of deploy/proxies/, as Debian has them, with the files that are shipped: only names, ports and
// certificates differ.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { freePort, temporaryDirectory } from '../../e2e/support/process.mjs';
import { Background, eventually, inTree } from './programs.mjs';

/** Text with each of these replaced; an error if one is not there. */
function edited(text, changes) {
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the configuration has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const shipped = (name) => readFileSync(inTree(`deploy/proxies/${name}`), 'utf8');

/** Per proxy: its configuration below `prefix`, its command, and how its certificate is renewed. */
const kinds = {
  nginx: {
    configure({ directory, port, relayPort, prefix }) {
      const server = edited(shipped('nginx.conf'), [
        ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
        ['server 127.0.0.1:8443;', `server 127.0.0.1:${relayPort};`],
        ['voice.example.com;', 'localhost;'],
        ['/etc/ssl/verbatim', directory],
        ...(prefix ? [['location / {', `location ${prefix}/ {`], ['proxy_pass http://verbatim;', 'proxy_pass http://verbatim/;']] : []),
      ]);
      writeFileSync(join(directory, 'verbatim.conf'), server);
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`);
      const main = `daemon off; user root; pid ${directory}/pid; error_log stderr info; events {}
        http { access_log off; ${temporary.join(' ')} include ${directory}/verbatim.conf; }\n`;
      writeFileSync(join(directory, 'nginx.conf'), main);
    },
    command: ({ directory }) => ['nginx', '-e', 'stderr', '-c', join(directory, 'nginx.conf')],
    renew(proxy) {
      proxy.certify();
      proxy.program.child.kill('SIGHUP');
    },
  },
  haproxy: {
    configure({ directory, port, relayPort, prefix }) {
      const file = edited(shipped('haproxy.cfg'), [
        ['bind :443', `bind 127.0.0.1:${port}`],
        ['127.0.0.1:8443', `127.0.0.1:${relayPort}`],
        ['/etc/ssl/verbatim', directory],
        ...(prefix ? [['#   http-request replace-path /voice', `http-request replace-path ${prefix}`]] : []),
      ]);
      writeFileSync(join(directory, 'haproxy.cfg'), file);
    },
    command: ({ directory }) => ['haproxy', '-W', '-db', '-f', join(directory, 'haproxy.cfg')],
    renew(proxy) {
      proxy.certify();
      proxy.program.child.kill('SIGUSR2');
    },
  },
  caddy: {
    /** Caddy's own authority stands for a public one. Its certificates are renewed after two thirds of 6 s. */
    configure({ directory, port, relayPort, prefix }) {
      const options = '{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n\trenew_interval 1s\n}';
      const issuer = 'tls {\n\t\tissuer internal {\n\t\t\tlifetime 6s\n\t\t}\n\t}';
      const file = edited(shipped('Caddyfile'), [
        ['{$VERBATIM_HOST:localhost} {', `${options}\nhttps://localhost:${port} {\n\tbind 127.0.0.1\n\t${issuer}`],
        ['{$VERBATIM_RELAY:127.0.0.1:8443}', `127.0.0.1:${relayPort}`],
      ]);
      const below = prefix ? file.replace(/(\treverse_proxy[\s\S]*\n\t\})/, `\thandle_path ${prefix}/* {\n$1\n\t}`) : file;
      writeFileSync(join(directory, 'Caddyfile'), below);
    },
    command: ({ directory }) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', join(directory, 'Caddyfile')],
    environment: ({ directory }) => ({ ...process.env, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory }),
    renew() {}, // by itself, after four seconds
  },
};

export const proxyNames = Object.keys(kinds);

export class Proxy {
  static async start(t, name, relayPort, { prefix = '' } = {}) {
    const proxy = new Proxy();
    Object.assign(proxy, { name, relayPort, prefix, kind: kinds[name], directory: temporaryDirectory(t) });
    proxy.port = await freePort();
    proxy.certify();
    proxy.kind.configure(proxy);
    const [command, ...args] = proxy.kind.command(proxy);
    proxy.program = new Background(t, command, args, { env: proxy.kind.environment?.(proxy) ?? process.env });
    proxy.url = `https://localhost:${proxy.port}${prefix}`;
    const started = eventually(() => proxy.certificate().catch(() => undefined), `${name} accepts connections`);
    const ended = proxy.program.over.then(() => Promise.reject(new Error(`${name} ended:\n${proxy.program.output}`)));
    await Promise.race([started, ended]);
    ended.catch(() => {});
    return proxy;
  }

  /** Puts a new certificate where the configuration says it is. */
  certify() {
    const made = join(this.directory, 'made');
    mkdirSync(made, { recursive: true });
    const file = (name) => join(made, name);
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
      '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', file('privkey.pem'), '-out', file('fullchain.pem')], { stdio: 'ignore' });
    writeFileSync(file('all.pem'), readFileSync(file('fullchain.pem'), 'utf8') + readFileSync(file('privkey.pem'), 'utf8'));
    for (const name of ['privkey.pem', 'fullchain.pem', 'all.pem']) renameSync(file(name), join(this.directory, name));
  }

  /** Renews the certificate as an operator would. */
  renew() {
    this.kind.renew(this);
  }

  /** The fingerprint of the certificate that a new connection is shown. */
  async certificate() {
    const socket = tls.connect({ port: this.port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false });
    // On a busy machine a proxy that has just started may leave a handshake without an answer.
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer to the handshake')));
    try {
      await once(socket, 'secureConnect');
      return socket.getPeerCertificate().fingerprint256;
    } finally {
      socket.destroy();
    }
  }

  /** The relay as its clients see it: through this proxy. */
  through(relay) {
    return Object.assign(Object.create(relay), { url: this.url, wsUrl: `${this.url.replace(/^http/, 'ws')}/v1/realtime` });
  }
}
