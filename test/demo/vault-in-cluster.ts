/** Sets up the Vault of samples/quick-start/vault.yaml as docs/getting-started.md does, with the secrets that the samples refer to. */
import type { TrialCluster } from './trial-cluster.ts';

/** The root token of that Vault: it is in its manifest. */
export const ROOT_TOKEN = 'root';

/** Made up for the demo, and shown on purpose. */
export const DEMO_SECRETS = {
  db: { username: 'shop', password: 'demo-s3cr3t' },
  app: { API_KEY: 'demo-api-key', FEATURE_FLAGS: 'new-basket' },
} as const;

export async function prepareVault(cluster: TrialCluster): Promise<void> {
  await cluster.kubectl('rollout', 'status', 'deployment/vault', '-n', 'vault', '--timeout=300s');
  const exec = ['exec', '-i', '-n', 'vault', 'deployment/vault', '--', 'vault'];
  const vault = (stdin: string, ...args: string[]): Promise<unknown> => cluster.kubectlWith(stdin, ...exec, ...args);
  await vault('', 'auth', 'enable', 'kubernetes');
  await vault('', 'write', 'auth/kubernetes/config', 'kubernetes_host=https://kubernetes.default.svc');
  for (const [name, secret] of Object.entries(DEMO_SECRETS))
    await vault(JSON.stringify(secret), 'kv', 'put', `secret/shop/${name}`, '-');
  await vault('path "secret/data/shop/*" { capabilities = ["read"] }', 'policy', 'write', 'shop', '-');
  const role = {
    bound_service_account_names: 'shop',
    bound_service_account_namespaces: 'shop',
    audience: 'vault',
    token_policies: 'shop',
    token_ttl: '10m',
  };
  await vault(JSON.stringify(role), 'write', 'auth/kubernetes/role/shop', '-');
}
