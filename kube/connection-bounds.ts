import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { Clock } from './clock.ts';
import { TokenBucket } from './token-bucket.ts';

export interface ConnectionLimits {
  /** Open connections of all peers. */
  readonly total: number;
  /** Open connections of one remote address. */
  readonly perPeer: number;
  /**
   * Connections that a peer may open beyond those that were proven, and how many more in each second. A connection that
   * is proven gives back what it took, and a peer with a proven one is not counted.
   */
  readonly fresh: { readonly burst: number; readonly perSecond: number };
}

/**
 * Why a connection was not accepted, or was closed for another one.
 * - peer: its address has as many as it may have
 * - total: there are too many, and none that could be closed for it
 * - rate: its address opens too many that come to nothing
 * - displaced: it was closed, because another one needed its place
 */
export type TurnedAway = 'peer' | 'total' | 'rate' | 'displaced';

interface Connection {
  readonly socket: Socket;
  readonly peer: Peer;
  /** Whether it took one of those that a peer may open. */
  readonly isCounted: boolean;
  isProven: boolean;
}

interface Peer {
  readonly address: string;
  /** The oldest first. */
  readonly open: Set<Connection>;
  unproven: number;
  readonly fresh: TokenBucket;
  /** What proven connections have given back. */
  refunded: number;
}

export interface ConnectionBoundsOptions {
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly limits: ConnectionLimits;
  readonly onTurnedAway: (why: TurnedAway, address: string) => void;
}

// Addresses are remembered after their last connection only for the rate; a token comes back by itself.
const MOST_PEERS = 2048;

/**
 * Bounds the connections of a server, in total and for each remote address, before anything is read from them. When all
 * places are taken, a newcomer gets that of the address which holds the most: first a connection that has not been
 * proven to be of somebody who is meant to connect. So a peer that opens many connections loses them, and no other peer does.
 */
export class ConnectionBounds {
  readonly #options: ConnectionBoundsOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #connections = new WeakMap<Duplex, Connection>();
  /** Connections whose TLS handshake is not over, by address and port of the peer. */
  readonly #byEnd = new Map<string, Connection>();
  #count = 0;

  constructor(options: ConnectionBoundsOptions) {
    this.#options = options;
  }

  /** The number of open connections. */
  get count(): number {
    return this.#count;
  }

  /** Puts the bounds before what `server` does with new connections. Call it once, before it listens. */
  guard(server: Server): void {
    const listeners = server.listeners('connection') as ((socket: Socket) => void)[];
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      if (!this.#admit(socket)) {
        socket.destroy();
        return;
      }
      for (const listener of listeners) listener.call(server, socket);
    });
    // over TLS, requests come from another socket than the one that was accepted
    server.on('secureConnection', (socket: Socket) => {
      const connection = this.#byEnd.get(endOf(socket));
      if (connection !== undefined) this.#connections.set(socket, connection);
    });
  }

  /** Notes that at the other end of this socket is somebody who is meant to connect. */
  prove(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.isProven) return;
    connection.isProven = true;
    connection.peer.unproven -= 1;
    if (connection.isCounted) connection.peer.refunded += 1;
  }

  /** Whether this is the socket of a connection that was accepted; over TLS, once its handshake is over. */
  has(socket: Duplex): boolean {
    return this.#connections.has(socket);
  }

  /** Whether the peer of this socket has a proven connection, this one or another. */
  isKnown(socket: Duplex): boolean {
    const peer = this.#connections.get(socket)?.peer;
    return peer !== undefined && peer.unproven < peer.open.size;
  }

  /** Returns the remote address of a socket, also when it has been closed; '' if it is not known. */
  addressOf(socket: Duplex): string {
    return this.#connections.get(socket)?.peer.address ?? '';
  }

  #admit(socket: Socket): boolean {
    const { limits, onTurnedAway } = this.#options;
    const address = socket.remoteAddress;
    // it has disconnected already
    if (address === undefined) return false;
    const peer = this.#peerAt(address);
    const isCounted = peer.unproven === peer.open.size;
    const why = isCounted && !takeFrom(peer) ? 'rate' : this.#noRoomFor(peer, limits);
    if (why !== undefined) {
      onTurnedAway(why, address);
      return false;
    }
    const connection: Connection = { socket, peer, isCounted, isProven: false };
    const end = endOf(socket);
    this.#connections.set(socket, connection);
    this.#byEnd.set(end, connection);
    peer.open.add(connection);
    peer.unproven += 1;
    this.#count += 1;
    socket.once('close', () => {
      if (this.#byEnd.get(end) === connection) this.#byEnd.delete(end);
      this.#leave(connection);
    });
    return true;
  }

  /** Makes room if there is none; returns why there is none for this peer. */
  #noRoomFor(peer: Peer, limits: ConnectionLimits): TurnedAway | undefined {
    if (peer.open.size >= limits.perPeer && !this.#displace(unprovenOf(peer))) return 'peer';
    if (this.#count >= limits.total && !this.#displace(this.#leastWorthy(peer))) return 'total';
    return undefined;
  }

  /** Returns the connection to close for a newcomer: of the peer that holds the most, the oldest. */
  #leastWorthy(newcomer: Peer): Connection | undefined {
    const heaviest = this.#heaviest(({ unproven }) => unproven);
    if (heaviest !== undefined && heaviest.unproven > 0) return unprovenOf(heaviest);
    // all of them are proven: a peer that holds more than the newcomer would gives one back
    const largest = this.#heaviest(({ open }) => open.size);
    if (largest === undefined || largest.open.size <= newcomer.open.size + 1) return undefined;
    const [oldest] = largest.open;
    return oldest;
  }

  #heaviest(weight: (peer: Peer) => number): Peer | undefined {
    let heaviest: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (heaviest === undefined || weight(peer) > weight(heaviest)) heaviest = peer;
    }
    return heaviest;
  }

  #displace(connection: Connection | undefined): boolean {
    if (connection === undefined) return false;
    this.#leave(connection);
    connection.socket.destroy();
    this.#options.onTurnedAway('displaced', connection.peer.address);
    return true;
  }

  #leave(connection: Connection): void {
    const { peer, isProven } = connection;
    if (!peer.open.delete(connection)) return;
    if (!isProven) peer.unproven -= 1;
    this.#count -= 1;
  }

  #peerAt(address: string): Peer {
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    if (this.#peers.size >= MOST_PEERS) this.#forget();
    const { clock, limits } = this.#options;
    const { burst, perSecond } = limits.fresh;
    const fresh = new TokenBucket({ clock, burst, everyMs: 1000 / perSecond });
    const peer: Peer = { address, open: new Set(), unproven: 0, fresh, refunded: 0 };
    this.#peers.set(address, peer);
    return peer;
  }

  /** Forgets the peers without a connection. */
  #forget(): void {
    for (const [address, { open }] of this.#peers) if (open.size === 0) this.#peers.delete(address);
  }
}

/** Whether a peer may open another connection now. */
function takeFrom(peer: Peer): boolean {
  if (peer.fresh.take()) return true;
  if (peer.refunded === 0) return false;
  peer.refunded -= 1;
  return true;
}

/** Returns the oldest connection of a peer that has not been proven. */
function unprovenOf({ open }: Peer): Connection | undefined {
  for (const connection of open) if (!connection.isProven) return connection;
  return undefined;
}

/** Of the accepted socket and of the one for TLS on top of it, these are the same. */
function endOf({ remoteAddress = '', remotePort = 0, localAddress = '' }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
