/**
 * bundle/: what the Operator Lifecycle Manager installs, from config/. It has no webhookdefinitions, since the operator
 * writes its own webhook configuration and keeps its certificate.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';

import { OLDEST_MINOR } from '../../core/kubernetes-versions.ts';
import { DEFAULT_PREFIX, imageName } from '../image-name.ts';
import { formatted } from './format.ts';

const root = join(import.meta.dirname, '../..');

const NAME = 'vault-injection-operator';
const MANIFESTS = 'bundle/manifests';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: object };
  readonly [field: string]: unknown;
}

interface Container {
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value?: string }[];
}

interface DeploymentSpec {
  readonly template: {
    readonly spec: { readonly serviceAccountName: string; readonly containers: readonly Container[] };
  };
}

/** A file of the bundle: path from the root of the repository, and its text. */
export interface BundleFile {
  readonly file: string;
  readonly text: () => Promise<string>;
}

/** Returns the files of the bundle. */
export function olmBundle(): readonly BundleFile[] {
  const own = documents('config/rbac/operator.yaml');
  const rules = (kind: string): unknown => own.find((one) => one.kind === kind)?.rules;
  const plain = [
    ...documents('config/operator/service.yaml'),
    ...documents('config/operator/disruption-budget.yaml'),
    // OLM creates the operator's own account from the ClusterServiceVersion
    ...documents('config/operator/service-account.yaml').filter(({ metadata }) => metadata.name !== NAME),
    ...documents('config/rbac/users.yaml').filter(({ kind }) => kind === 'ClusterRole'),
    settings(),
  ];
  return [
    yamlFile(`${MANIFESTS}/${NAME}.clusterserviceversion.yaml`, serviceVersion(rules('ClusterRole'), rules('Role'))),
    {
      file: `${MANIFESTS}/vaultinjectionpolicies.crd.yaml`,
      text: () => Promise.resolve(read('crds/vaultinjectionpolicies.yaml')),
    },
    ...plain.map((one) => yamlFile(`${MANIFESTS}/${one.metadata.name}.${one.kind.toLowerCase()}.yaml`, anywhere(one))),
    yamlFile('bundle/metadata/annotations.yaml', { annotations }),
  ];
}

const annotations = {
  'operators.operatorframework.io.bundle.mediatype.v1': 'registry+v1',
  'operators.operatorframework.io.bundle.manifests.v1': 'manifests/',
  'operators.operatorframework.io.bundle.metadata.v1': 'metadata/',
  'operators.operatorframework.io.bundle.package.v1': NAME,
  'operators.operatorframework.io.bundle.channels.v1': 'alpha',
  'operators.operatorframework.io.bundle.channel.default.v1': 'alpha',
};

function serviceVersion(clusterRules: unknown, rules: unknown): object {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const [deployment] = documents('config/operator/deployment.yaml') as unknown as [Manifest & { spec: DeploymentSpec }];
  const image = imageName(DEFAULT_PREFIX, NAME, version);
  const { serviceAccountName } = deployment.spec.template.spec;
  const [policy] = documents('crds/vaultinjectionpolicies.yaml') as unknown as [
    Manifest & { spec: { names: { kind: string }; versions: { name: string }[] } },
  ];
  return {
    apiVersion: 'operators.coreos.com/v1alpha1',
    kind: 'ClusterServiceVersion',
    metadata: {
      name: `${NAME}.v${version}`,
      annotations: {
        capabilities: 'Basic Install',
        categories: 'Security',
        containerImage: image,
        description: 'Puts Vault secrets into the environment of programs, by policy, without storing them anywhere',
        'alm-examples': JSON.stringify([example()]),
      },
    },
    spec: {
      displayName: 'Vault Injection Operator',
      description:
        'A VaultInjectionPolicy selects workloads in its namespace: Deployments, StatefulSets, DaemonSets, CronJobs, Jobs, and pods if it says so. Their programs get secrets of HashiCorp Vault or OpenBao in their environment. No Kubernetes Secret has them, and no pod has a sidecar.',
      version,
      maturity: 'alpha',
      minKubeVersion: `1.${OLDEST_MINOR}.0`,
      keywords: ['vault', 'openbao', 'secrets', 'injection', 'webhook'],
      provider: { name: NAME },
      icon: [{ base64data: Buffer.from(ICON).toString('base64'), mediatype: 'image/svg+xml' }],
      // it watches the policies of all namespaces, and there can be only one webhook configuration
      installModes: ['OwnNamespace', 'SingleNamespace', 'MultiNamespace', 'AllNamespaces'].map((type) => ({
        type,
        supported: type === 'AllNamespaces',
      })),
      customresourcedefinitions: {
        owned: policy.spec.versions.map((one) => ({
          name: policy.metadata.name,
          kind: policy.spec.names.kind,
          version: one.name,
          displayName: 'Vault injection policy',
          description: 'Which workloads of a namespace get secrets of Vault, from which Vault and as which role',
        })),
      },
      install: {
        strategy: 'deployment',
        spec: {
          clusterPermissions: [{ serviceAccountName, rules: clusterRules }],
          permissions: [{ serviceAccountName, rules }],
          deployments: [
            {
              name: deployment.metadata.name,
              label: deployment.metadata.labels,
              spec: withImage(deployment.spec, image),
            },
          ],
        },
      },
      relatedImages: [
        { name: NAME, image },
        { name: 'vault-env', image: imageName(DEFAULT_PREFIX, 'vault-env', version) },
      ],
    },
  };
}

function withImage(spec: DeploymentSpec, image: string): DeploymentSpec {
  const containers = spec.template.spec.containers.map((container) => ({ ...container, image }));
  return { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } };
}

/** What config/operator makes of settings.yaml; OLM knows no generated names. */
function settings(): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `${NAME}-settings`, labels: { 'app.kubernetes.io/name': NAME } },
    data: { 'settings.yaml': read('config/operator/settings.yaml') },
  };
}

/** The first policy of the samples. */
function example(): unknown {
  return documents('samples/policies/shop.yaml').find(({ kind }) => kind === 'VaultInjectionPolicy');
}

/** The namespace is the one that somebody chooses for the installation. */
function anywhere(manifest: Manifest): object {
  const metadata = Object.entries(manifest.metadata).filter(([field]) => field !== 'namespace');
  return { ...manifest, metadata: Object.fromEntries(metadata) };
}

function yamlFile(file: string, content: object): BundleFile {
  return { file, text: () => formatted(file, stringify(content, { aliasDuplicateObjects: false })) };
}

function documents(file: string): readonly Manifest[] {
  return parseAllDocuments(read(file)).map((document) => document.toJS() as Manifest);
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><path d="M32 4 8 14v18c0 15 10 24 24 28 14-4 24-13 24-28V14z" fill="#1f3a5f"/><path d="M20 22h8l4 13 4-13h8L34 48h-4z" fill="#fff"/></svg>`;
