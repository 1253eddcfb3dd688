/** What is there before the picture begins: a cluster with two replicas, a Vault, registries, policies and workloads. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { buildImage } from '../../build/image.ts';
import { Api } from '../bench/api.ts';
import { startReplicas, type ReplicaSet } from '../chaos/replica-set.ts';
import { Cluster } from '../integration/cluster.ts';
import { container, deployment, policy, type Container, type Workload } from '../integration/manifests.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { pretendKubelet } from '../support/pretended-kubelet.ts';
import { pushImage } from '../support/registry-push.ts';
import { startRegistry } from '../support/registry.ts';
import { startSilentRegistry } from '../support/silent-registry.ts';
import {
  allowRotation,
  enableKubernetesAuth,
  identityFlags,
  OPERATOR,
  startVault,
  writeSecret,
} from '../support/vault.ts';
import type { Vault } from '../support/vault.ts';

export const SECRET = 'secret/data/shop/db';
export const REPLICAS = 2;
/** Fail, with rotation. */
export const SHOP = 'shop';
/** Ignore. */
export const LENIENT = 'lenient';

export interface Setting {
  readonly plane: ControlPlane;
  readonly cluster: Cluster;
  readonly api: Api;
  readonly vault: Vault;
  readonly replicas: ReplicaSet;
  /** Images that a registry knows, that it does not know, that no registry answers for, and that may not be asked for. */
  readonly images: Readonly<Record<'known' | 'unknown' | 'silent' | 'elsewhere', string>>;
  stop(): Promise<void>;
}

/** Starts everything. Resolves when the policies are Ready and the workloads of the shop run. */
export async function set(): Promise<Setting> {
  const stops: (() => Promise<unknown> | undefined)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    const dir = mkdtempSync(join(tmpdir(), 'dashboard-'));
    stops.push(() => {
      rmSync(dir, { recursive: true });
      return undefined;
    });
    const plane = await startControlPlane();
    stops.push(() => plane.stop());
    const vault = await startVault();
    stops.push(() => vault.stop());
    const registry = await startRegistry();
    stops.push(() => registry.stop());
    const silent = await startSilentRegistry();
    stops.push(() => silent.stop());
    const image = buildImage({ name: 'x', files: [], config: { entrypoint: ['/shop'] } }, join(dir, 'shop.tar'));
    await pushImage(registry, 'shop/app', '1', image);

    // accounts and rights; the replicas run here
    await plane.kubectlOk(['apply', '-k', join(import.meta.dirname, '../../config/default')]);
    await plane.kubectlOk(['delete', 'deployment', OPERATOR.name, '-n', OPERATOR.namespace]);
    await enableKubernetesAuth(vault, plane);
    await allowRotation(vault);
    await writeSecret(vault, SECRET, { password: 'of-the-picture' });
    const ca = join(dir, 'registry-ca.pem');
    writeFileSync(ca, registry.ca);
    const replicas = await startReplicas({
      plane,
      count: REPLICAS,
      flags: [
        ...identityFlags(vault),
        ...[
          '--registries',
          `${registry.host},${silent.host}`,
          '--registry-ca',
          ca,
          '--registry-plain-http',
          silent.host,
        ],
        ...['--certificate-wait', '1s'],
      ],
    });
    stops.push(() => replicas.close());
    const cluster = new Cluster(plane);
    await people(cluster, vault);
    const kubelet = pretendKubelet(plane, SHOP);
    stops.push(() => kubelet.stop());
    const images = {
      known: `${registry.host}/shop/app:1`,
      unknown: `${registry.host}/shop/none:1`,
      silent: `${silent.host}/shop`,
      elsewhere: 'registry.example.com/shop:1',
    };
    return { plane, cluster, api: new Api(plane.kubeconfig), vault, replicas, images, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Two namespaces with their policies, and what runs in the shop. */
async function people(cluster: Cluster, vault: Vault): Promise<void> {
  for (const namespace of [SHOP, LENIENT]) {
    await cluster.namespace(namespace);
    await cluster.kubectl('create', 'configmap', 'vault-ca', '-n', namespace, `--from-literal=ca.crt=${vault.caPem}`);
  }
  await cluster.kubectl('create', 'configmap', 'settings', '-n', SHOP, `--from-literal=DB=vault:${SECRET}#password`);
  const tls = { caRef: { kind: 'ConfigMap', name: 'vault-ca', key: 'ca.crt' } };
  const spec = { vault: { address: vault.tlsAddress, tls, auth: { role: 'shop' } } };
  await cluster.policy(
    policy(SHOP, 'shop', {
      ...spec,
      rotation: { strategy: 'Restart', interval: '5s' },
      rollout: { maxConcurrent: 2 },
      environment: { allowedPaths: ['secret/data/shop/*'] },
      inject: { sources: { secrets: 'Read' } },
    }),
  );
  await cluster.policy(policy(LENIENT, 'shop', { ...spec, failurePolicy: 'Ignore' }));
  for (const name of ['web', 'cart', 'search', 'mail', 'payment']) await cluster.apply(running(name));
}

/** With two pods. */
function running(name: string): Workload {
  const manifest = deployment(SHOP, name);
  manifest.spec.replicas = 2;
  return manifest;
}

/** A container whose command only its image says. */
export function bare(image: string): Container {
  const { name, env = [] } = container();
  return { name, image, env };
}
