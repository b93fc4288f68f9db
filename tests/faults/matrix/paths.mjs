// The ways in which a conversation can end, as the rows of a table:
//
//   reasons    the reasons that may be kept without a fault; also crash_recovered, if the program
//              did not end in order
//   strike     makes it happen to all conversations of a cell
//   variants   each cell has one, chosen by its seed: its members are added to the path's
//   set        settings of the relay
//   process    the program ends by it; sudden: at that instant
//   disk       needs a disk of its own
import { setTimeout as sleep } from 'node:timers/promises';

const each = (act) => async (cell) => {
  for (const person of cell.people) act(person);
};

const signal =
  (...signals) =>
  async ({ lane, random }) => {
    for (const name of signals) {
      lane.relay.program.child.kill(name);
      await sleep(random.number(0, 20));
    }
  };

const crash = { reasons: [], process: true, sudden: true };

// Often enough for a short cell, rarely enough that a busy machine is not taken for a dead peer.
export const pings = ['session.ping_interval=2s'];

export const paths = {
  'browser closes': {
    reasons: ['client_closed'],
    strike: each(({ client }) => client.socket.close(1000)),
  },
  'browser resets': {
    reasons: ['client_lost'],
    strike: each(({ client }) => client.socket._socket?.resetAndDestroy()),
  },
  'browser half-open': {
    reasons: ['client_lost'],
    set: pings,
    strike: each((person) => person.goDeaf()),
  },
  'browser too slow': {
    reasons: ['slow_client'],
    // Bytes lost between the provider and the relay would keep the client from being too slow.
    side: 'near',
    set: ['session.client_queue_bytes_max=16KiB', 'session.slow_client_timeout=500ms'],
    strike: each((person) => {
      person.goDeaf();
      person.sings = true;
    }),
  },
  'provider closes': {
    reasons: ['upstream_closed'],
    strike: each(({ voice }) => voice.socket.close(1000)),
  },
  'provider resets': {
    reasons: ['upstream_lost'],
    strike: each(({ voice }) => voice.socket._socket?.resetAndDestroy()),
  },
  'provider fails': {
    reasons: ['upstream_error'],
    strike: each(({ voice }) => {
      voice.fail('server_error');
      voice.socket.close(1011, 'overloaded');
    }),
  },
  'provider silent': {
    reasons: ['upstream_lost'],
    set: pings,
    strike: each((person) => {
      person.quiet = true;
      person.voice.socket.pause();
    }),
  },
  'session cap': {
    reasons: ['session_expired'],
    strike: each(({ voice }) => {
      voice.fail('session_expired');
      voice.socket.close(1000);
    }),
  },
  'barge-in': {
    reasons: ['client_ended'],
    async strike({ people, random }) {
      for (const person of people) person.interrupt();
      await sleep(random.number(0, 40));
      for (const { client } of people) client.send({ type: 'verbatim.end' });
    },
  },
  policy: {
    variants: {
      // Neither a message that is too large nor a binary one ends a conversation.
      limit: {
        reasons: ['max_duration'],
        set: ['session.max_duration=2s'],
        strike: async () => {},
      },
      expired: {
        reasons: ['idle_timeout'],
        set: ['session.idle_timeout=1s'],
        strike: each((person) => (person.quiet = true)),
      },
    },
  },
  SIGTERM: { reasons: ['server_shutdown'], process: true, strike: signal('SIGTERM') },
  'SIGINT twice': {
    reasons: ['server_shutdown'],
    process: true,
    strike: signal('SIGINT', 'SIGINT'),
  },
  crash: {
    ...crash,
    variants: {
      SIGSEGV: { strike: signal('SIGSEGV') },
      SIGABRT: { strike: signal('SIGABRT') },
    },
  },
  SIGKILL: { ...crash, strike: signal('SIGKILL') },
  'power cut': { ...crash, disk: true, strike: async (cell) => cell.cutPower() },
};
