// The secret and the certificate that the relays of a fleet share. The certificate is its own authority.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './process.mjs';

/** `settings`: those of the relay at `port`, which the others dial at `peerPort`. `database`: a URL. */
export function membership(t) {
  const directory = temporaryDirectory(t);
  const [secret, key, certificate] = ['token-secret', 'key.pem', 'cert.pem'].map((name) => join(directory, name));
  writeFileSync(secret, randomBytes(32).toString('hex'), { mode: 0o600 });
  execFileSync('openssl', [
    ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2', '-keyout', key, '-out', certificate],
  ], { stdio: 'ignore' });
  const shared = [
    `auth.token_secret_file=${secret}`,
    `tls.cert_file=${certificate}`,
    `tls.key_file=${key}`,
    `fleet.ca_file=${certificate}`,
  ];
  const settings = ({ port, database, peerPort = port }) => [
    ...shared,
    `server.listen=127.0.0.1:${port}`,
    `fleet.url=${database}`,
    `fleet.peer_url=https://127.0.0.1:${peerPort}`,
  ];
  return { certificate, shared, settings };
}
