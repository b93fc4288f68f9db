// How a conversation can end. `reasons`: what may be kept as the reason when nothing else strikes.
// `model`: faults of the provider, in each of its connections. `strike` makes it happen; paths
// without one happen by themselves. `process`: the program ends.
import { setTimeout as sleep } from 'node:timers/promises';

const clients =
  (act) =>
  async ({ talkers }) => {
    for (const talker of talkers) act(talker);
  };

const signal =
  (...signals) =>
  async ({ lane }) => {
    for (const one of signals) {
      lane.relay.program.child.kill(one);
      await sleep(5);
    }
  };

/** More than the kernel's buffers hold, asked for by somebody who reads none of it. */
function stopReading(talker) {
  talker.record.hasty = true;
  talker.client.socket.pause();
  for (let i = 0; i < 25; ++i) talker.request('y'.repeat(5000), 'audio');
}

export const paths = {
  'browser closes': {
    reasons: ['client_closed'],
    strike: clients(({ client }) => client.socket.close(1000)),
  },
  'browser resets': {
    reasons: ['client_lost'],
    strike: clients(({ client }) => client.socket._socket?.resetAndDestroy()),
  },
  'browser half-open': {
    // It reads nothing and answers no ping: found by the one or by the other.
    reasons: ['client_lost', 'slow_client'],
    strike: clients(({ client }) => client.socket.pause()),
  },
  'browser too slow': {
    reasons: ['slow_client', 'client_lost'],
    atOnce: true,
    set: [
      'session.client_queue_bytes_max=4KiB',
      'session.slow_client_timeout=500ms',
      'session.ping_interval=20s',
    ],
    strike: clients(stopReading),
  },
  'provider closes': { reasons: ['upstream_closed'], model: (n) => `close_after=${n}:1000` },
  'provider resets': { reasons: ['upstream_lost'], model: (n) => `drop_after=${n}` },
  'provider fails': {
    reasons: ['upstream_error'],
    model: (n) => `close_after=${n}:1011:overloaded`,
  },
  // It may still answer pings: then it is the silence that ends the conversation.
  'provider silent': {
    reasons: ['upstream_lost', 'idle_timeout'],
    model: (n) => `hang_after=${n}`,
    set: ['session.idle_timeout=2s'],
  },
  'session cap': { reasons: ['session_expired'], model: () => 'expire_after=600' },
  'barge-in': {
    reasons: ['client_closed'],
    ways: { cancel: 1 },
    strike: clients(({ client }) => client.socket.close(1000)),
  },
  policy: {
    reasons: ['policy', 'max_duration'],
    variants: ['binary', 'oversize', 'max_duration'],
    set: (variant) => (variant === 'max_duration' ? ['session.max_duration=700ms'] : []),
    async strike({ talkers, variant }) {
      for (const { client } of talkers) {
        if (variant === 'binary') client.socket.send(Buffer.from('not a text frame'));
        if (variant === 'oversize') client.socket.send(`{"type":"${'x'.repeat(1_100_000)}"}`);
      }
    },
  },
  SIGTERM: { reasons: ['server_shutdown'], process: true, strike: signal('SIGTERM') },
  'SIGINT twice': {
    reasons: ['server_shutdown', 'crash_recovered'],
    process: true,
    strike: signal('SIGINT', 'SIGINT'),
  },
  crash: { reasons: ['crash_recovered'], process: true, strike: signal('SIGSEGV') },
  SIGKILL: { reasons: ['crash_recovered'], process: true, strike: signal('SIGKILL') },
  'power cut': {
    reasons: ['crash_recovered'],
    process: true,
    disk: true,
    async strike({ lane, talkers }) {
      for (const talker of talkers) talker.cut();
      lane.disk.cut();
      lane.relay.program.child.kill('SIGKILL');
    },
  },
};
