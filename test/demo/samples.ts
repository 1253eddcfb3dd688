/** samples/demo, as kubectl renders it, with the address and the CA of the Vault that the demo has just started. */
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

import { belongsToWorkloads } from './workloads.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import type { Vault } from '../support/vault.ts';

const FOLDER = join(import.meta.dirname, '../../samples/demo');

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface Samples {
  /** Namespaces, ServiceAccounts and what else policies and workloads need, then the policies. */
  readonly policies: readonly Manifest[];
  readonly workloads: readonly Manifest[];
  /** The Deployment that shows its secret. */
  readonly web: Manifest;
}

/** Reads and adapts the samples; throws when the Deployment `web` is not among them. */
export async function renderSamples(plane: ControlPlane, vault: Vault): Promise<Samples> {
  const text = await plane.kubectlOk(['kustomize', FOLDER]);
  const manifests = parseAllDocuments(text).map((document) => atVault(document.toJS() as Manifest, vault));
  const workloads = manifests.filter(belongsToWorkloads);
  const web = workloads.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'web');
  if (web === undefined) throw new Error('samples/demo has no Deployment named web');
  const rest = manifests.filter((one) => !belongsToWorkloads(one));
  return { policies: [...rest.filter(isNoPolicy), ...rest.filter((one) => !isNoPolicy(one))], workloads, web };
}

const isNoPolicy = ({ kind }: Manifest): boolean => kind !== 'VaultInjectionPolicy';

function atVault(manifest: Manifest, vault: Vault): Manifest {
  if (isNoPolicy(manifest)) return manifest;
  const spec = manifest.spec?.vault as Record<string, unknown>;
  const tls = { caBundle: vault.caPem };
  return { ...manifest, spec: { ...manifest.spec, vault: { ...spec, address: vault.tlsAddress, tls } } };
}
