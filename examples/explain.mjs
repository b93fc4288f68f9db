// The meaning of errors in a first attempt, and what to do about each.

/** `error` as an SDK or `fetch` reports it; `base` is the relay's address. */
export function explain(error, base) {
  const cause = error.cause ?? error;
  const code = error.error?.code ?? cause.code ?? '';
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ISSUER/.test(code)) {
    return `Node does not trust the certificate of ${base} (${code}).
Without tls.cert_file the relay makes its own certificate, in tls/cert.pem of its data directory.
${certificates ? `NODE_EXTRA_CA_CERTS names ${certificates}: that file is missing, or belongs to another relay.` : 'NODE_EXTRA_CA_CERTS is not set.'}
Start again with the path of the file, for instance:
  NODE_EXTRA_CA_CERTS=data/tls/cert.pem node examples/conversation.mjs`;
  }
  if (code === 'ECONNREFUSED') return `No relay listens at ${base}. Start one, or set VERBATIM_URL to its address.`;
  if (code === 'ENOTFOUND') return `There is no host of the name in ${base}. Correct VERBATIM_URL.`;
  if (/EPROTO|WRONG_VERSION/.test(code)) return `${base} does not speak TLS. Correct VERBATIM_URL.`;
  const refused = /Unexpected server response: (\d+)/.exec(error.message);
  if (refused?.[1] === '401' || refused?.[1] === '403') {
    return `The relay refused the credential (${refused[1]}). Set VERBATIM_TOKEN to a client token of this relay:
  VERBATIM_TOKEN=$(verbatim token --user me) node examples/conversation.mjs`;
  }
  if (refused) return `The relay refused the connection (${refused[1]}). Its log has a line "upgrade.refused".`;
  return `${code ? `${code}: ` : ''}${error.error?.message ?? error.message}`;
}
