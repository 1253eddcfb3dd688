/** A real Vault whose Kubernetes auth asks an API server that fails to review tokens for a while. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { programs, summary, type Starts } from './leader-changes.ts';
import { createRole, mountKubernetesAuth, startVault } from './vault.ts';

/** How the reviews fail: this many, or for this time from the first one on. */
export type Failing = { readonly times: number } | { readonly forMs: number };

export interface TokenReviews {
  /** One program starts while reviews fail. */
  start(executable: string, failing: Failing, timeout: string): Promise<Starts>;
  stop(): Promise<void>;
}

const USER = { username: 'system:serviceaccount:shop:web', uid: 'a-uid', groups: ['system:serviceaccounts'] };

export async function startTokenReviews(): Promise<TokenReviews> {
  let fails = (): boolean => false;
  const reviewer = createServer((request, response) => {
    request.resume().once('end', () => {
      if (fails()) {
        response.writeHead(503).end('{"kind":"Status","status":"Failure","code":503}');
        return;
      }
      const review = { kind: 'TokenReview', status: { authenticated: true, user: USER, audiences: ['vault'] } };
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(review));
    });
  });
  reviewer.listen(0, '127.0.0.1');
  await once(reviewer, 'listening');
  const vault = await startVault();
  const stop = async (): Promise<void> => {
    await vault.stop();
    reviewer.closeAllConnections();
    reviewer.close();
  };
  try {
    await mountKubernetesAuth(vault, 'kubernetes');
    await vault.api('POST', 'auth/kubernetes/config', {
      kubernetes_host: `http://127.0.0.1:${(reviewer.address() as AddressInfo).port}`,
      token_reviewer_jwt: serviceAccountToken(),
      disable_local_ca_jwt: true, // Vault runs in no pod
    });
    await createRole(vault, 'shop', { policies: ['shop'] });
    const starting = await programs(vault, vault.caPem, { method: 'Kubernetes', token: serviceAccountToken() });
    return {
      start: async (executable, failing, timeout) => {
        fails = failer(failing);
        return summary([await starting.start(executable, vault.tlsAddress, timeout)]);
      },
      stop: async () => {
        starting.stop();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function failer(failing: Failing): () => boolean {
  if ('times' in failing) {
    let left = failing.times;
    return () => left-- > 0;
  }
  let until = 0;
  return () => {
    until ||= performance.now() + failing.forMs;
    return performance.now() < until;
  };
}

// The API server is the only one to verify it, and here it believes everything.
function serviceAccountToken(): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'https://kubernetes.default.svc',
    aud: ['vault'],
    sub: USER.username,
    iat: now,
    nbf: now,
    exp: now + 3600,
    'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'web', uid: USER.uid } },
  };
  return `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode(claims)}.${Buffer.alloc(64, 1).toString('base64url')}`;
}
