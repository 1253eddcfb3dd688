/** A way to an API server on which answers can be held back: for tests of what waits for them. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:https';
import { connect, createServer as createRelay } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { pipeline, Transform } from 'node:stream';

import type { ControlPlane } from './control-plane.ts';

export interface StallingProxy {
  /** From now on nothing is answered whose path contains this text; '' lets all answers go again. */
  stall(path: string): void;
  /** The same, and nothing more arrives of answers that have begun, such as watches; no connection is closed. */
  freeze(path: string): void;
  /** true: from now on no byte passes in either direction, and connections stay open; false: all that waits passes. */
  silence(on: boolean): void;
  stop(): Promise<void>;
}

/** Starts it, and has the kubeconfig lead through it. */
export async function startStallingProxy(
  { authority }: Pick<ControlPlane, 'authority'>,
  kubeconfig: string,
): Promise<StallingProxy> {
  const { certificate: cert, key } = await authority.server('proxy', ['127.0.0.1']);
  const config = readFileSync(kubeconfig, 'utf8');
  const server = /https:\/\/[^"\s]+/.exec(config)?.[0] ?? '';
  const [stalled, frozen] = [createHold(), createHold()];
  const proxy = createServer({ cert, key }, (incoming, outgoing) => {
    const { method, url = '/', headers } = incoming;
    const forward = (): void => {
      if (outgoing.destroyed) return; // its client has lost patience
      const onward = request(new URL(url, server), { method, headers, ca: authority.certificate }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        const gate = new Transform({
          transform: (chunk, _encoding, done) => frozen.pass(url, () => done(null, chunk)),
          flush: (done) => frozen.pass(url, () => done()),
        });
        pipeline(answer, gate, outgoing, () => answer.destroy());
      });
      onward.on('error', () => frozen.pass(url, () => outgoing.destroy()));
      outgoing.on('close', () => onward.destroy());
      pipeline(incoming, onward, () => undefined);
    };
    frozen.pass(url, () => stalled.pass(url, forward));
  });
  const relay = createSilenceableRelay(await listening(proxy));
  const port = await listening(relay.server);
  writeFileSync(kubeconfig, config.replaceAll(server, `https://127.0.0.1:${port}`));
  return {
    stall: (path) => stalled.set(path),
    freeze: (path) => frozen.set(path),
    silence: (on) => relay.silence(on),
    stop: async () => {
      relay.stop();
      proxy.closeAllConnections();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** What must wait while its path contains a text. */
function createHold(): { set(path: string): void; pass(url: string, go: () => void): void } {
  let path = '';
  let held: { readonly url: string; readonly go: () => void }[] = [];
  const pass = (url: string, go: () => void): void => {
    if (path !== '' && url.includes(path)) held.push({ url, go });
    else go();
  };
  return {
    pass,
    set: (other) => {
      path = other;
      const waiting = held;
      held = [];
      for (const { url, go } of waiting) pass(url, go);
    },
  };
}

interface SilenceableRelay {
  readonly server: Server;
  silence(on: boolean): void;
  stop(): void;
}

/** Passes bytes on to a port of loopback, unless it is silent. */
function createSilenceableRelay(port: number): SilenceableRelay {
  const pairs = new Set<readonly [Socket, Socket]>();
  let silent = false;
  const join = ([client, server]: readonly [Socket, Socket]): void => {
    client.pipe(server);
    server.pipe(client);
  };
  const part = ([client, server]: readonly [Socket, Socket]): void => {
    client.unpipe(server);
    server.unpipe(client);
  };
  const server = createRelay({ noDelay: true }, (client) => {
    const pair = [client, connect({ port, host: '127.0.0.1', noDelay: true })] as const;
    pairs.add(pair);
    for (const [one, other] of [pair, pair.toReversed()] as [Socket, Socket][]) {
      one.on('error', () => undefined);
      one.on('close', () => {
        pairs.delete(pair);
        other.destroy();
      });
    }
    if (!silent) join(pair);
  });
  return {
    server,
    silence: (on) => {
      if (on === silent) return;
      silent = on;
      for (const pair of pairs) (on ? part : join)(pair);
    },
    stop: () => {
      server.close();
      for (const [client, upstream] of pairs) {
        client.destroy();
        upstream.destroy();
      }
    },
  };
}
