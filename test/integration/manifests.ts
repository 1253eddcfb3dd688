/** Manifests of the integration tests, as plain objects: what a user would write, before any server has seen it. */

export interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: { name: string; value: string }[];
}

export interface Workload {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; labels: Record<string, string>; annotations?: Record<string, string> };
  spec: {
    replicas: number;
    selector: unknown;
    template: {
      metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
      spec: { containers: Container[] };
    };
  };
}

export const DB_PASSWORD = { name: 'DB_PASSWORD', value: 'vault:secret/data/shop/db#password' };

/** A container of the shop with one reference. */
export function container(name = 'app', changes: Partial<Container> = {}): Container {
  const env = [{ name: 'PORT', value: '8080' }, DB_PASSWORD];
  return {
    name,
    image: 'registry.example.com/shop:1',
    command: ['/bin/shop'],
    args: ['serve', '--port=8080'],
    env,
    ...changes,
  };
}

/** A Deployment of no replicas: nothing but admission is under test, and no node is there to run it. */
export function deployment(namespace: string, name: string, containers: Container[] = [container()]): Workload {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  };
}

/** A policy with what is given over the least that one has to write. */
export function policy(namespace: string, name: string, spec: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    apiVersion: 'vaultinjection.dev/v1alpha1',
    kind: 'VaultInjectionPolicy',
    metadata: { name, namespace },
    spec: {
      vault: { address: 'https://vault.example.com:8200', auth: { role: 'shop' } },
      failurePolicy: 'Fail',
      ...spec,
    },
  };
}
