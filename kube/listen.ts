import type { AddressInfo, Server } from 'node:net';

/** Where a server listens. */
export interface Place {
  /** 0 picks a free one. */
  readonly port: number;
  /** Undefined: all addresses. */
  readonly host: string | undefined;
  /** The settings that change it, for messages, such as '--webhook-port'. */
  readonly settings: { readonly port: string; readonly host: string };
}

/** The server could not listen. The message says on which address, why, and what to do; `code` is the system's. */
export class ListenError extends Error {
  readonly code: string | undefined;

  constructor({ port, host, settings }: Place, cause: NodeJS.ErrnoException) {
    const where = host === undefined ? `port ${port}` : `${host}, port ${port}`;
    super(`cannot listen on ${where}: ${REASONS[cause.code ?? '']?.(settings) ?? cause.message}`, { cause });
    this.name = 'ListenError';
    this.code = cause.code;
  }
}

const REASONS: Readonly<Record<string, (settings: Place['settings']) => string>> = {
  EADDRINUSE: ({ port }) => `another process uses it (EADDRINUSE). Stop that process, or choose another ${port}`,
  EACCES: ({ port }) => `not permitted (EACCES). Choose ${port} 1024 or higher, or add the capability NET_BIND_SERVICE`,
  EADDRNOTAVAIL: ({ host }) => `this machine has no such address (EADDRNOTAVAIL). Correct ${host}`,
  ENOTFOUND: ({ host }) => `no such host (ENOTFOUND). Correct ${host}`,
};

/** Resolves with the address when `server` accepts connections. Rejects with ListenError if it cannot. */
export function listen(server: Server, place: Place): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => reject(new ListenError(place, cause));
    server.once('error', failed);
    server.listen(place.port, place.host, () => {
      server.off('error', failed);
      resolve(server.address() as AddressInfo);
    });
  });
}
