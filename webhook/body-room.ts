/** The room for bodies that are being received, shared fairly among the addresses that they come from. */

/** The place of one body. */
export interface Seat {
  /** Reserves room for so many more bytes. Returns false if there is none for this address. */
  hold(bytes: number): boolean;
  /** Releases everything. */
  leave(): void;
}

interface Occupant {
  readonly address: string;
  readonly peer: Peer;
  readonly cut: () => void;
  bytes: number;
}

interface Peer {
  /** The oldest first. */
  readonly bodies: Set<Occupant>;
  bytes: number;
}

export interface RoomLimits {
  /** Bodies that are being received at the same time. */
  readonly bodies: number;
  /** Bytes of them in total. */
  readonly bytes: number;
}

/**
 * Reckons with the bodies that are being received. When it is full, an address that uses less than another one gets room
 * from it: the oldest body of the address that uses the most is cut.
 */
export class BodyRoom {
  readonly #limits: RoomLimits;
  readonly #peers = new Map<string, Peer>();
  #bodies = 0;
  #bytes = 0;

  constructor(limits: RoomLimits) {
    this.#limits = limits;
  }

  /** The number of bodies that are being received. */
  get bodies(): number {
    return this.#bodies;
  }

  /**
   * Takes a place for a body from this address; `cut` is called when it has lost its place to another address.
   * Returns undefined if there is no place.
   */
  enter(address: string, cut: () => void): Seat | undefined {
    const own = this.#peers.get(address);
    if (this.#bodies >= this.#limits.bodies) {
      const heaviest = this.#heaviest((peer) => peer.bodies.size);
      if (heaviest === undefined || heaviest.bodies.size <= (own?.bodies.size ?? 0) + 1) return undefined;
      this.#cutOldest(heaviest);
    }
    const peer = own ?? { bodies: new Set<Occupant>(), bytes: 0 };
    // cutting may have removed it
    this.#peers.set(address, peer);
    const occupant: Occupant = { address, peer, cut, bytes: 0 };
    peer.bodies.add(occupant);
    this.#bodies += 1;
    return {
      hold: (bytes) => this.#hold(occupant, bytes),
      leave: () => this.#leave(occupant),
    };
  }

  #hold(occupant: Occupant, bytes: number): boolean {
    const { peer } = occupant;
    while (this.#bytes + bytes > this.#limits.bytes) {
      const heaviest = this.#heaviest((other) => other.bytes);
      if (heaviest === undefined || heaviest === peer || heaviest.bytes <= peer.bytes + bytes) return false;
      this.#cutOldest(heaviest);
    }
    occupant.bytes += bytes;
    peer.bytes += bytes;
    this.#bytes += bytes;
    return true;
  }

  #leave(occupant: Occupant): void {
    const { address, peer, bytes } = occupant;
    if (!peer.bodies.delete(occupant)) return;
    peer.bytes -= bytes;
    this.#bytes -= bytes;
    this.#bodies -= 1;
    if (peer.bodies.size === 0 && this.#peers.get(address) === peer) this.#peers.delete(address);
  }

  #heaviest(weight: (peer: Peer) => number): Peer | undefined {
    let heaviest: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (heaviest === undefined || weight(peer) > weight(heaviest)) heaviest = peer;
    }
    return heaviest;
  }

  #cutOldest({ bodies }: Peer): void {
    const [oldest] = bodies;
    if (oldest === undefined) return;
    this.#leave(oldest);
    oldest.cut();
  }
}
