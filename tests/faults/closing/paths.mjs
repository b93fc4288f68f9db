// The causes that end a conversation: the close reason, the client's close code (docs/resume.md;
// none if the client itself has gone), and how to bring it about. A `group` has a relay of its own,
// because of its settings, or because its cause ends or disturbs all sessions.

const flood = JSON.stringify({
  type: 'response.output_audio.delta',
  response_id: 'resp_a1',
  item_id: 'item_a1',
  output_index: 0,
  content_index: 0,
  delta: 'A'.repeat(60_000),
});

/** Sends audio until the relay lets go; no faster than it is taken. */
function stream(line) {
  const next = () => {
    if (line.gone) return;
    while (line.socket.bufferedAmount < 1_000_000) line.socket.send(flood);
    setTimeout(next, 5);
  };
  next();
}

export const paths = {
  client_closed: { strike: ({ client }) => client.socket.close(1000) },
  client_lost: { strike: ({ client }) => client.socket.terminate() },
  client_ended: { code: 1000, strike: ({ client }) => client.send({ type: 'verbatim.end' }) },
  operator: {
    code: 1000,
    strike: ({ group, id }) => void group.relay.request(`/v1/sessions/${id}/end`, { method: 'POST' }),
  },
  upstream_closed: { code: 1000, strike: ({ line }) => line.close(1000) },
  upstream_lost: { code: 1011, strike: ({ line }) => line.vanish() },
  upstream_error: {
    code: 1011,
    strike({ line }) {
      line.say({
        type: 'error',
        error: { type: 'server_error', code: 'overloaded', message: 'no more' },
      });
      line.close(1011, 'overloaded');
    },
  },
  session_expired: {
    code: 4001,
    strike({ line }) {
      const message = 'Your session hit the maximum duration.';
      line.say({
        type: 'error',
        error: { type: 'invalid_request_error', code: 'session_expired', message },
      });
      line.close(1001, message);
    },
  },
  // A frame with an opcode that RFC 6455 does not define.
  policy: { code: 1002, strike: ({ client }) => client.socket._socket.write(Buffer.from([0x83, 0x80, 1, 2, 3, 4])) },
  replaced: {
    code: 4000,
    async strike(cell) {
      cell.second = await cell.connect();
    },
  },
  idle_timeout: {
    code: 4001,
    group: 'idle',
    set: ['session.idle_timeout=700ms'],
    strike: () => {},
  },
  max_duration: {
    code: 4001,
    group: 'long',
    set: ['session.max_duration=1500ms'],
    strike: () => {},
  },
  slow_client: {
    group: 'slow',
    set: ['session.client_queue_bytes_max=64KiB', 'session.slow_client_timeout=300ms'],
    strike({ client, line }) {
      client.socket.pause();
      stream(line);
    },
  },
  server_shutdown: {
    code: 1012,
    group: 'stopped',
    all: ({ relay }) => relay.program.stop('SIGTERM'),
  },
  crash_recovered: { group: 'killed', all: ({ relay }) => relay.program.stop('SIGKILL') },
  storage_failure: {
    code: 1011,
    group: 'full',
    set: ['journal.full_retry=50ms'],
    async all({ shim, relay, cells }) {
      const full = shim.arm({
        calls: ['write', 'truncate'],
        file: 'verbatim.db',
        action: 'fail',
        error: 'ENOSPC',
      });
      // The failure appears at the next write.
      cells[0].line.say({
        type: 'error',
        error: { type: 'server_error', code: 'x', message: 'harmless' },
      });
      await Promise.all(cells.map(({ client }) => client.closed));
      full.disarm();
      await relay.program.logged('storage.healed');
    },
  },
};
