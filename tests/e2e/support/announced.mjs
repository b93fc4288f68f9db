// Connections as a proxy forwards them: a PROXY protocol v2 header before the first byte.
import net from 'node:net';

/** A header for a client with this IPv4 address. */
export function announcement(client, { tlv = Buffer.alloc(0), command = 1 } = {}) {
  const body = Buffer.concat([
    Buffer.from([...client.split('.').map(Number), 127, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb]),
    tlv,
  ]);
  const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
  return Buffer.concat([signature, Buffer.from([0x20 | command, 0x11, body.length >> 8, body.length & 255]), body]);
}

export const portOf = (relay) => Number(new URL(relay.url).port);

/** Options for a WebSocket client (support/client.mjs) that a proxy has taken from this address. */
export const announcedFrom = (relay, client) => ({
  socket: {
    createConnection: () => {
      const socket = net.connect({ host: '127.0.0.1', port: portOf(relay) });
      socket.write(announcement(client));
      return socket;
    },
  },
});
