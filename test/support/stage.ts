/** The whole play on this machine: cluster, Vault with a secret and a role, a node with images, the operator. */
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { startNode, type Node } from './node.ts';
import { startOperator, type RunningOperator } from './operator.ts';
import { busyboxImage, glibcImage, injectorImage, probeImage } from './test-images.ts';
import type { ToolName } from '../../build/tools/table.ts';
import {
  allowReading,
  allowRotation,
  createRole,
  enableKubernetesAuth,
  identityFlags,
  startVault,
  writeSecret,
  type Vault,
} from './vault.ts';

export interface Stage {
  readonly plane: ControlPlane;
  readonly vault: Vault;
  /** Undefined if this machine cannot run a kubelet. */
  readonly node: Node | undefined;
  readonly operator: RunningOperator;
  stop(): Promise<void>;
}

export interface StageOptions {
  readonly withNode: boolean;
  /** Plugins that Vault is to find beside the one for Kubernetes auth. */
  readonly plugins?: readonly ToolName[];
  /** The operator may see the versions of Vault's secrets (docs/guides/rotation.md); default: false. */
  readonly rotation?: boolean;
  /** Told of each step before it is taken. */
  readonly onStep?: (step: string) => void;
  readonly log?: (line: string) => void;
}

/** Vault's secret secret/data/shop/db, readable by the role shop for ServiceAccounts of the namespace shop. */
export interface ShopSecret {
  readonly username: string;
  readonly password: string;
}

/** Starts everything; when a part fails, what was started before is stopped. */
export async function startStage(options: StageOptions, secret: ShopSecret): Promise<Stage> {
  const { onStep = () => undefined, log, plugins = [], rotation = false } = options;
  const logged = log === undefined ? {} : { log };
  const started: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (const part of started.splice(0).reverse()) await part.stop();
  };
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  try {
    onStep('Kubernetes control plane: etcd, API server, controller manager, scheduler');
    const plane = keep(await startControlPlane({ scheduler: options.withNode, ...logged }));
    onStep('Vault, with a secret at secret/data/shop/db and a role for the ServiceAccounts of the namespace shop');
    const vault = keep(await startVault({ plugins, ...logged }));
    await prepareVault(vault, plane, secret);
    let node: Node | undefined;
    if (options.withNode) {
      onStep('a node: containerd and kubelet, with the images of vault-env and of the programs');
      node = keep(await startNode(plane, logged));
      await importImages(node);
    }
    onStep('the operator, outside of the cluster');
    if (rotation) {
      await installServiceAccount(plane);
      await allowRotation(vault);
    }
    const flags = rotation ? identityFlags(vault) : [];
    const operator = keep(await startOperator({ controlPlane: plane, injectorImage: 'localhost/vault-env:1', flags }));
    return { plane, vault, node, operator, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function prepareVault(vault: Vault, plane: ControlPlane, secret: ShopSecret): Promise<void> {
  await enableKubernetesAuth(vault, plane);
  await writeSecret(vault, 'secret/data/shop/db', { ...secret });
  await writeSecret(vault, 'secret/data/shop/app', { API_KEY: 'demo-api-key', FEATURE_FLAGS: 'new-basket' });
  await allowReading(vault, 'shop', ['secret/data/shop/*']);
  await createRole(vault, 'shop', { namespaces: ['shop'], policies: ['shop'], audience: 'vault' });
}

/** The operator runs outside of the cluster, and has tokens made of the ServiceAccount that it logs in to Vault as. */
async function installServiceAccount(plane: ControlPlane): Promise<void> {
  for (const file of ['namespace.yaml', 'service-account.yaml'])
    await plane.kubectlOk(['apply', '--server-side', '-f', join(import.meta.dirname, '../../config/operator', file)]);
}

async function importImages(node: Node): Promise<void> {
  const folder = join(node.dir, 'images');
  mkdirSync(folder, { recursive: true });
  for (const image of [
    await injectorImage(folder),
    await probeImage(folder),
    await busyboxImage(folder),
    glibcImage(folder),
  ]) {
    await node.importImage(image);
  }
}

/** How many files below `dir` hold these bytes: with etcd's data directory, whether a text was ever stored. */
export function filesHolding(dir: string, text: string): number {
  const needle = Buffer.from(text);
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile() && readFileSync(path).includes(needle)).length;
}
