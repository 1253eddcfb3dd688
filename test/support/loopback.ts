import type { Place } from '../../kube/listen.ts';

/** A place on loopback to listen on; port 0 takes a free one. */
export function loopback(port = 0): Place {
  return { port, host: '127.0.0.1', settings: { port: '--some-port', host: '--some-host' } };
}
