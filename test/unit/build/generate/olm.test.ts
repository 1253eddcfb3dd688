import { expect } from 'chai';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

import { olmBundle } from '../../../../build/generate/olm.ts';

const ROOT = join(import.meta.dirname, '../../../..');

interface Permission {
  readonly serviceAccountName: string;
  readonly rules: readonly object[];
}

interface ServiceVersion {
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly version: string;
    readonly minKubeVersion: string;
    readonly webhookdefinitions?: unknown;
    readonly installModes: readonly { readonly type: string; readonly supported: boolean }[];
    readonly customresourcedefinitions: { readonly owned: readonly { name: string; kind: string; version: string }[] };
    readonly relatedImages: readonly { readonly image: string }[];
    readonly install: {
      readonly strategy: string;
      readonly spec: {
        readonly clusterPermissions: readonly Permission[];
        readonly permissions: readonly Permission[];
        readonly deployments: readonly {
          readonly name: string;
          readonly spec: {
            readonly template: {
              readonly spec: {
                readonly serviceAccountName: string;
                readonly containers: readonly { image: string; env: readonly { name: string; value?: string }[] }[];
                readonly volumes: readonly { configMap?: { name: string } }[];
              };
            };
          };
        }[];
      };
    };
  };
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly object[];
}

// Source: olm.operatorframework.io, "Packaging an operator".
const SUPPORTED = new Set([
  ...['ClusterServiceVersion', 'CustomResourceDefinition', 'ClusterRole', 'ConfigMap', 'PodDisruptionBudget'],
  ...['PriorityClass', 'PrometheusRule', 'Secret', 'Service', 'ServiceAccount', 'ServiceMonitor'],
]);

describe('the bundle for the Operator Lifecycle Manager', () => {
  const texts = new Map<string, string>();
  let manifests: readonly Manifest[];
  let version: ServiceVersion;
  let deployment: ServiceVersion['spec']['install']['spec']['deployments'][number]['spec']['template']['spec'];

  before(async () => {
    for (const { file, text } of olmBundle()) texts.set(file, await text());
    manifests = Array.from(texts).flatMap(([file, text]) =>
      file.startsWith('bundle/manifests/') ? [parse(text) as Manifest] : [],
    );
    version = manifests.find(({ kind }) => kind === 'ClusterServiceVersion') as unknown as ServiceVersion;
    deployment = version.spec.install.spec.deployments[0]?.spec.template.spec ?? expect.fail();
  });

  it('is all that is in its folder', () => {
    expect(globSync('bundle/{manifests,metadata}/*', { cwd: ROOT }).sort()).to.deep.equal([...texts.keys()].sort());
  });

  it('has a kind of object in each file that it may have, without a namespace', () => {
    for (const { kind, metadata } of manifests) {
      expect([...SUPPORTED]).to.include(kind);
      expect(metadata.namespace, `${kind} ${metadata.name}`).to.equal(undefined);
    }
  });

  it('has no webhook definitions: the operator writes its own configuration', () => {
    expect(version.spec).not.to.have.property('webhookdefinitions');
  });

  it('has the version of package.json, and is for all namespaces alone', () => {
    const json = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(version.spec.version).to.equal(json.version);
    expect(version.metadata.name).to.equal(`vault-injection-operator.v${json.version}`);
    expect(version.spec.installModes).to.deep.equal([
      { type: 'OwnNamespace', supported: false },
      { type: 'SingleNamespace', supported: false },
      { type: 'MultiNamespace', supported: false },
      { type: 'AllNamespaces', supported: true },
    ]);
  });

  it('gives the operator the rights of config/rbac, and no others', () => {
    const source = readFileSync(join(ROOT, 'config/rbac/operator.yaml'), 'utf8');
    const own = parseAllDocuments(source).map((document) => document.toJS() as Manifest);
    const { clusterPermissions, permissions } = version.spec.install.spec;
    const { serviceAccountName } = deployment;
    expect(clusterPermissions).to.deep.equal([
      { serviceAccountName, rules: own.find(({ kind }) => kind === 'ClusterRole')?.rules },
    ]);
    expect(permissions).to.deep.equal([{ serviceAccountName, rules: own.find(({ kind }) => kind === 'Role')?.rules }]);
    expect(own.filter(({ kind }) => kind.endsWith('Role'))).to.have.lengthOf(2);
  });

  it('has what the Deployment refers to: settings, Service, the account for Vault', () => {
    const has = (kind: string): readonly string[] =>
      manifests.flatMap((one) => (one.kind === kind ? [one.metadata.name] : []));
    const maps = deployment.volumes.flatMap(({ configMap }) => (configMap === undefined ? [] : [configMap.name]));
    expect(has('ConfigMap')).to.deep.equal(maps);
    const env = Object.fromEntries(deployment.containers[0]?.env.map(({ name, value = '' }) => [name, value]) ?? []);
    expect(has('Service')).to.deep.equal([env.VAULT_INJECTION_WEBHOOK_SERVICE]);
    expect(has('ServiceAccount')).to.deep.equal([env.VAULT_INJECTION_VAULT_SERVICE_ACCOUNT]);
    expect(version.spec.relatedImages.map(({ image }) => image)).to.deep.equal([
      deployment.containers[0]?.image,
      env.VAULT_INJECTION_INJECTOR_IMAGE,
    ]);
  });

  it('owns the CRD in each of its versions, and shows an example that is one', () => {
    const crd = manifests.find(({ kind }) => kind === 'CustomResourceDefinition') as unknown as {
      metadata: { name: string };
      spec: { group: string; names: { kind: string }; versions: { name: string }[] };
    };
    const { owned } = version.spec.customresourcedefinitions;
    expect(owned.map((one) => [one.name, one.kind, one.version])).to.deep.equal(
      crd.spec.versions.map(({ name }) => [crd.metadata.name, crd.spec.names.kind, name]),
    );
    const [example] = JSON.parse(version.metadata.annotations['alm-examples'] ?? '') as [
      { apiVersion: string; kind: string },
    ];
    expect(example).to.include({ kind: 'VaultInjectionPolicy', apiVersion: `${crd.spec.group}/${owned[0]?.version}` });
  });

  it('says in its metadata where its parts are', () => {
    const { annotations } = parse(texts.get('bundle/metadata/annotations.yaml') ?? '') as {
      annotations: Record<string, string>;
    };
    const prefix = 'operators.operatorframework.io.bundle.';
    expect(annotations).to.include({
      [`${prefix}mediatype.v1`]: 'registry+v1',
      [`${prefix}manifests.v1`]: 'manifests/',
      [`${prefix}metadata.v1`]: 'metadata/',
      [`${prefix}package.v1`]: 'vault-injection-operator',
    });
    // the image of the bundle has the same as labels
    const dockerfile = readFileSync(join(ROOT, 'bundle/Dockerfile'), 'utf8');
    const labels = Array.from(dockerfile.matchAll(/^LABEL (\S+)=(\S+)$/gm), ([, name = '', value = '']) => [
      name,
      value,
    ]);
    expect(Object.fromEntries(labels)).to.deep.equal(annotations);
  });
});
