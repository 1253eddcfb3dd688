import { stringify } from 'yaml';
import type { KeyPair } from './pki.ts';

/**
 * The text of a kubeconfig with one cluster and one user, who holds a client certificate or a token, or whatever else
 * `raw` is.
 */
export function kubeconfigFor(
  cluster: { readonly server: string; readonly caPem: string },
  user: KeyPair | { readonly token: string } | { readonly raw: Readonly<Record<string, unknown>> },
): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const credentials =
    'raw' in user
      ? user.raw
      : 'token' in user
        ? { token: user.token }
        : { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) };
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'local', cluster: { server: cluster.server, 'certificate-authority-data': base64(cluster.caPem) } },
    ],
    users: [{ name: 'user', user: credentials }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'user' } }],
    'current-context': 'local',
  });
}
