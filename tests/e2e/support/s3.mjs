// An S3-compatible service that a test controls. It checks each signature (SigV4) from scratch, as AWS does: the
// canonical request, the digest of the body, and the clock.
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { deadline, temporaryDirectory } from './process.mjs';

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const md5 = (data) => createHash('md5').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();
/** RFC 3986, as SigV4 demands it. */
const escaped = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
const xml = (name, fields) => `<?xml version="1.0"?><${name}>${fields}</${name}>`;
const skewMax = 15 * 60_000;

class Refused extends Error {
  constructor(status, code, headers = {}) {
    super(code);
    Object.assign(this, { status, code, headers });
  }
}

/**
 * `fault(call)`: what goes wrong with a call, asked when its body is there: undefined, {status, code, headers},
 * or a function of the response that answers in its place. `before(call)`: the same before the body is read.
 */
export class S3 {
  objects = new Map(); // key -> {bytes, headers, etag}
  parts = new Map(); // UploadId -> {key, headers, parts}
  calls = []; // {method, key, query, status}
  fault = () => undefined;
  before = () => undefined;
  /** Headers of HEAD, changed: (headers) => headers. */
  head = (headers) => headers;
  versioned = false;
  versions = []; // {key, id, bytes}, delete markers included

  constructor(options = {}) {
    Object.assign(this, { bucket: 'calls', region: 'eu-test-1', accessKey: 'AKIDTEST12345678', secretKey: 'a/secret+key=of40characters', virtual: false }, options);
  }

  static async start(t, { port = 0, tls, ...options } = {}) {
    const s3 = new S3({ ...options, folder: temporaryDirectory(t) });
    const listener = (request, response) => s3.serve(request, response);
    const server = (s3.server = tls ? https.createServer(tls, listener) : createServer(listener));
    server.on('checkContinue', (request, response) => {
      s3.continued = (s3.continued ?? 0) + 1;
      s3.serve(request, response, () => response.writeContinue());
    });
    server.requestTimeout = deadline;
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    s3.port = server.address().port;
    s3.url = `http${tls ? 's' : ''}://${s3.virtual ? 'localhost' : '127.0.0.1'}:${s3.port}`;
    s3.stop = () => {
      server.closeAllConnections();
      server.close();
    };
    t.after(s3.stop);
    return s3;
  }

  /** Settings of a relay that uses it. Its keys come from files. */
  settings(...more) {
    const file = (name, text) => {
      writeFileSync(join(this.folder, name), `${text}\n`, { mode: 0o600 });
      return join(this.folder, name);
    };
    return [
      `recording.s3_endpoint=${this.url}`,
      `recording.s3_bucket=${this.bucket}`,
      `recording.s3_region=${this.region}`,
      `recording.s3_access_key_file=${file('access', this.accessKey)}`,
      `recording.s3_secret_key_file=${file('secret', this.secretKey)}`,
      'recording.s3_allow_private=true',
      'recording.s3_timeout=2s',
      'recording.s3_retry_min=20ms',
      'recording.s3_retry_max=200ms',
      ...more,
    ];
  }

  get keys() {
    return [...this.objects.keys()].sort();
  }
  /** The calls as text: "PUT 1.user.pcm". */
  count(method, pattern = /./) {
    return this.calls.filter((call) => call.method === method && pattern.test(call.key + call.search)).length;
  }

  async serve(request, response, goOn = () => {}) {
    const call = { method: request.method, at: Date.now(), headers: request.headers };
    request.on('error', () => {});
    response.on('error', () => {});
    response.on('close', () => (call.closed = true));
    try {
      const [path, search = ''] = request.url.split('?');
      const parts = decodeURIComponent(path).slice(1).split('/');
      if (!this.virtual && parts.shift() !== this.bucket) throw new Refused(404, 'NoSuchBucket');
      if (this.virtual && request.headers.host !== `${this.bucket}.localhost:${this.port}`) throw new Refused(404, 'NoSuchBucket');
      Object.assign(call, { key: parts.join('/'), search, query: new URLSearchParams(search) });
      this.calls.push(call);
      const early = this.before(call);
      if (typeof early === 'function') return early(response, request);
      if (early) throw new Refused(early.status, early.code, early.headers);
      goOn();
      const pieces = [];
      try {
        for await (const piece of request) pieces.push(piece);
      } catch {
        call.broken = true;
        return;
      }
      const body = Buffer.concat(pieces);
      if (request.headers['transfer-encoding']) throw new Refused(501, 'NotImplemented'); // as most do
      if (request.method === 'PUT' && request.headers['content-length'] === undefined) throw new Refused(411, 'MissingContentLength');
      this.verify(request, path, search, body);
      const fault = await this.fault(call);
      if (typeof fault === 'function') return fault(response, body);
      if (fault) throw new Refused(fault.status, fault.code, fault.headers);
      if (response.destroyed) return;
      this.answer(call, request, response, body);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      call.status = error.status;
      const text = xml('Error', `<Code>${error.code}</Code><Message>words of the service</Message>`);
      response.writeHead(error.status, { 'content-type': 'application/xml', ...error.headers });
      response.end(request.method === 'HEAD' ? undefined : text);
    }
  }

  verify(request, path, search, body) {
    const { headers } = request;
    const match = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '');
    if (!match) throw new Refused(403, 'AccessDenied');
    const [, id, day, region, names, signature] = match;
    if (id !== this.accessKey) throw new Refused(403, 'InvalidAccessKeyId');
    if (region !== this.region) throw new Refused(400, 'AuthorizationHeaderMalformed', { 'x-amz-bucket-region': this.region });
    const time = headers['x-amz-date'];
    const [, year, month, date, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time);
    if (Math.abs(Date.UTC(year, month - 1, date, hour, minute, second) - (this.now?.() ?? Date.now())) > skewMax) throw new Refused(403, 'RequestTimeTooSkewed');
    const digest = headers['x-amz-content-sha256'];
    if (!digest) throw new Refused(400, 'MissingSecurityHeader'); // R2 demands it
    if (digest !== 'UNSIGNED-PAYLOAD' && digest !== sha256(body)) throw new Refused(400, 'XAmzContentSHA256Mismatch');
    const signed = names.split(';');
    for (const name of ['host', 'x-amz-date', 'x-amz-content-sha256', ...Object.keys(headers).filter((one) => one.startsWith('x-amz-'))])
      if (!signed.includes(name)) throw new Refused(403, 'AccessDenied');
    const canonicalQuery = search
      .split('&')
      .filter(Boolean)
      .map((pair) => pair.split('='))
      .map(([name, value = '']) => [escaped(decodeURIComponent(name)), escaped(decodeURIComponent(value))])
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map((pair) => pair.join('='))
      .join('&');
    const canonical = [
      request.method,
      decodeURIComponent(path).split('/').map(escaped).join('/'),
      canonicalQuery,
      ...signed.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
      '',
      names,
      digest,
    ].join('\n');
    const toSign = ['AWS4-HMAC-SHA256', time, `${day}/${region}/s3/aws4_request`, sha256(canonical)].join('\n');
    const key = ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${this.secretKey}`, day), region));
    if (hmac(key, toSign).toString('hex') !== signature) throw new Refused(403, 'SignatureDoesNotMatch');
  }

  store(key, bytes, metadata, etag) {
    this.objects.set(key, { bytes, metadata, etag });
    if (!this.versioned) return {};
    const id = `v${this.versions.length + 1}/=+`;
    this.versions.push({ key, id, bytes });
    return { 'x-amz-version-id': id };
  }

  answer(call, request, response, body) {
    const { key, query } = call;
    const metadata = Object.fromEntries(Object.entries(request.headers).filter(([name]) => /^x-amz-meta-|^content-type$/.test(name)));
    const end = (status, headers = {}, text = undefined) => {
      call.status = status;
      response.writeHead(status, headers);
      response.end(text);
    };
    const upload = query.get('uploadId');
    if (upload !== null && !this.parts.has(upload)) throw new Refused(404, 'NoSuchUpload');
    const pending = this.parts.get(upload);
    switch (request.method) {
      case 'PUT': {
        const etag = md5(body);
        if (!pending) return end(200, { etag: `"${etag}"`, ...this.store(key, body, metadata, etag) });
        pending.parts.set(Number(query.get('partNumber')), { body, etag });
        return end(200, { etag: `"${etag}"` });
      }
      case 'POST': {
        if (query.has('uploads')) {
          const id = `up+${this.parts.size + 1}/x=&`;
          this.parts.set(id, { key, metadata, parts: new Map() });
          return end(200, {}, xml('InitiateMultipartUploadResult', `<UploadId>${id.replace('&', '&amp;')}</UploadId>`));
        }
        const wanted = [...body.toString().matchAll(/<Part><PartNumber>(\d+)<\/PartNumber><ETag>"(\w+)"<\/ETag><\/Part>/g)];
        const all = wanted.map(([, number, etag]) => {
          const part = pending.parts.get(Number(number));
          if (part?.etag !== etag) throw new Refused(400, 'InvalidPart');
          return part;
        });
        if (all.slice(0, -1).some((part) => part.body.length < 5 * 1024 * 1024)) throw new Refused(400, 'EntityTooSmall');
        if (new Set(all.slice(0, -1).map((part) => part.body.length)).size > 1) throw new Refused(400, 'InvalidPart'); // R2
        this.parts.delete(upload);
        const etag = `${md5(Buffer.concat(all.map((part) => Buffer.from(part.etag, 'hex'))))}-${all.length}`;
        return end(200, this.store(key, Buffer.concat(all.map((part) => part.body)), pending.metadata, etag), xml('CompleteMultipartUploadResult', ''));
      }
      case 'DELETE':
        if (pending) {
          this.parts.delete(upload);
          return end(204);
        }
        if (query.has('versionId')) {
          this.versions = this.versions.filter(({ id }) => id !== query.get('versionId'));
          return end(204);
        }
        this.objects.delete(key);
        if (!this.versioned) return end(204);
        this.versions.push({ key, id: `marker${this.versions.length}` });
        return end(204, { 'x-amz-delete-marker': 'true', 'x-amz-version-id': this.versions.at(-1).id });
    }
    if (query.has('uploads')) {
      const found = [...this.parts].filter(([, one]) => one.key.startsWith(query.get('prefix')));
      return end(200, {}, xml('ListMultipartUploadsResult', found.map(([id, one]) => `<Upload><Key>${one.key}</Key><UploadId>${id.replace('&', '&amp;')}</UploadId></Upload>`).join('')));
    }
    if (query.has('versions')) {
      const found = this.versions.filter((one) => one.key.startsWith(query.get('prefix')));
      return end(200, {}, xml('ListVersionsResult', found.map(({ id }) => `<Version><VersionId>${id}</VersionId></Version>`).join('')));
    }
    const object = this.objects.get(key);
    if (!object) throw new Refused(404, 'NoSuchKey');
    const headers = { ...object.metadata, etag: `"${object.etag}"`, 'content-length': object.bytes.length };
    if (request.method === 'HEAD') return end(200, this.head(headers));
    return end(200, headers, object.bytes);
  }
}
