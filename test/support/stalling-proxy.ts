/** A way to an API server on which single answers can be held back: for tests of what waits for them. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

import type { ControlPlane } from './control-plane.ts';

export interface StallingProxy {
  /** From now on nothing is answered whose path contains this text; '' lets all answers go again. */
  stall(path: string): void;
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
  let stalled = '';
  let held: (() => void)[] = [];
  const proxy = createServer({ cert, key }, (incoming, outgoing) => {
    const { method, url = '/', headers } = incoming;
    const forward = (): void => {
      const onward = request(new URL(url, server), { method, headers, ca: authority.certificate }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        pipeline(answer, outgoing, () => answer.destroy());
      });
      onward.on('error', () => outgoing.destroy());
      outgoing.on('close', () => onward.destroy());
      pipeline(incoming, onward, () => undefined);
    };
    if (stalled !== '' && url.includes(stalled)) held.push(forward);
    else forward();
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  writeFileSync(kubeconfig, config.replaceAll(server, `https://127.0.0.1:${port}`));
  return {
    stall: (path) => {
      stalled = path;
      for (const forward of held) forward();
      held = [];
    },
    stop: async () => {
      proxy.closeAllConnections();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
