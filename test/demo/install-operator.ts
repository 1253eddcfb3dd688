/** Installs the operator in a cluster: the chart with helm, and config/default with kubectl where there is no helm. */
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

import type { ImageNames } from './demo-images.ts';
import { OPERATOR, SYSTEM } from './remove.ts';
import { LABEL, type TrialCluster } from './trial-cluster.ts';

const CONFIG = join(import.meta.dirname, '../../config');

interface Manifest {
  readonly kind: string;
  readonly spec?: { readonly template?: { readonly spec: { readonly containers: readonly Container[] } } };
}

interface Container {
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

/** @param withCrd false: there is a CRD already, which stays as it is */
export async function installWithHelm(cluster: TrialCluster, images: ImageNames, withCrd: boolean): Promise<void> {
  const values = chartValues(images, withCrd);
  const target = ['--namespace', SYSTEM, '--wait', '--timeout', '300s', '--values', '-'];
  await cluster.helm(JSON.stringify(values), 'upgrade', '--install', OPERATOR, join(CONFIG, 'chart'), ...target);
}

export function chartValues(images: ImageNames, withCrd: boolean): object {
  const image = (name: string): object => {
    const colon = name.lastIndexOf(':');
    return { registry: '', repository: name.slice(0, colon), tag: name.slice(colon + 1) };
  };
  return {
    commonLabels: { [LABEL]: 'true' },
    image: image(images.operator),
    injector: { image: image(images.vaultEnv) },
    crds: { enabled: withCrd },
  };
}

export async function installWithKubectl(cluster: TrialCluster, images: ImageNames, withCrd: boolean): Promise<void> {
  const rendered = await cluster.kubectl('kustomize', join(CONFIG, 'default'));
  const served = JSON.parse(await cluster.kubectl('get', '--raw', '/apis/admissionregistration.k8s.io/v1')) as {
    resources: { kind: string }[];
  };
  const kinds = new Set(served.resources.map(({ kind }) => kind));
  const objects = withImages(rendered, images).filter(
    ({ kind }) =>
      // what an older API server does not know is left out, as the chart does
      (!kind.startsWith('MutatingAdmissionPolicy') || kinds.has(kind)) &&
      (kind !== 'CustomResourceDefinition' || withCrd),
  );
  await cluster.apply(objects, '--server-side');
  await cluster.kubectl('rollout', 'status', `deployment/${OPERATOR}`, '-n', SYSTEM, '--timeout=300s');
}

/** The objects of a text of YAML, with other images of the operator and of vault-env. */
export function withImages(yaml: string, images: ImageNames): Manifest[] {
  return parseAllDocuments(yaml)
    .map((document) => document.toJS() as Manifest)
    .map((manifest) => {
      const template = manifest.spec?.template;
      if (manifest.kind !== 'Deployment' || template === undefined) return manifest;
      const containers = template.spec.containers.map((container) => ({
        ...container,
        image: images.operator,
        env: (container.env ?? []).map((variable) =>
          variable.name === 'VAULT_INJECTION_INJECTOR_IMAGE' ? { ...variable, value: images.vaultEnv } : variable,
        ),
      }));
      return {
        ...manifest,
        spec: { ...manifest.spec, template: { ...template, spec: { ...template.spec, containers } } },
      };
    });
}
