/** The chart beside the kustomize base: the same objects, apart from what is listed here. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { expect } from 'chai';
import { parse } from 'yaml';

import { ensureTools } from '../../build/tools/tools.ts';
import { BUILDING_MS } from '../support/building.ts';
import { CHART, HELM_VERSIONS, idOf, manifestsIn, openHelm, RELEASE } from '../support/helm.ts';
import type { Manifest, Values } from '../support/helm.ts';

const ROOT = join(import.meta.dirname, '../..');
const SETTINGS = `${RELEASE}-settings`;

/** Labels that Helm's conventions ask for. */
const HELM_LABELS = [
  'app.kubernetes.io/instance',
  'app.kubernetes.io/managed-by',
  'app.kubernetes.io/version',
  'helm.sh/chart',
];

/** Annotations that only the chart writes: each with where. */
const HELM_ANNOTATIONS = {
  // on the CRD, so that `helm uninstall` leaves it
  'helm.sh/resource-policy': 'CustomResourceDefinition',
  // on pods, where kustomize gives the ConfigMap a name by its content
  'checksum/settings': 'Deployment',
};

/** Objects that are in one of the two only. */
const ONLY_IN_KUSTOMIZE = ['Namespace/vault-injection-system']; // helm --create-namespace
const ONLY_IN_CHART = [`Job/${RELEASE}-uninstall`]; // a hook, which kustomize does not have

/** Without what is listed above, and with settings as data, since a file may have comments. */
function comparable(manifest: Manifest): Manifest {
  const name = manifest.metadata.name.replace(new RegExp(`^${SETTINGS}-[a-z0-9]{10}$`), SETTINGS);
  const text = JSON.stringify({ ...manifest, metadata: { ...manifest.metadata, name } }, (key, value: unknown) => {
    if (key === 'labels') return without(value, HELM_LABELS);
    if (key === 'annotations') {
      const names = Object.entries(HELM_ANNOTATIONS).filter(([, kind]) => kind === manifest.kind);
      const left = without(
        value,
        names.map(([annotation]) => annotation),
      );
      return Object.keys(left).length === 0 ? undefined : left;
    }
    // kustomize doubles the line breaks of folded text before lines that are indented further, which CEL does not see
    if (/^(e|messageE)xpression$/.test(key)) return (value as string).replaceAll(/\n+/g, '\n');
    if (key === 'settings.yaml') return parse(value as string) as unknown;
    return value;
  });
  return JSON.parse(text.replace(new RegExp(`"${SETTINGS}-[a-z0-9]{10}"`, 'g'), `"${SETTINGS}"`)) as Manifest;
}

function without(value: unknown, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(value as object).filter(([name]) => !names.includes(name)));
}

const byId = (manifests: readonly Manifest[]): Readonly<Record<string, Manifest>> =>
  Object.fromEntries(manifests.map(comparable).map((manifest) => [idOf(manifest), manifest]));

describe('the chart and the kustomize base', function () {
  this.timeout(60_000);
  let kubectl: string;

  before(async function () {
    this.timeout(BUILDING_MS);
    ({
      kubectl: { path: kubectl },
    } = await ensureTools(['kubectl']));
  });

  const kustomized = (folder: string): readonly Manifest[] =>
    manifestsIn(execFileSync(kubectl, ['kustomize', join(ROOT, folder)], { encoding: 'utf8', maxBuffer: 1 << 26 }));

  const cases: readonly (readonly [folder: string, values: Values, only?: readonly string[]])[] = [
    ['config/default', {}],
    ['config/before-1.36', { guard: { marks: false } }],
    // with its webhook configuration, which a chart that an operator writes to could not have
    [
      'config/external-webhook',
      { settings: { webhookConfiguration: 'External' } },
      ['MutatingWebhookConfiguration/vault-injection-operator'],
    ],
  ];
  for (const version of HELM_VERSIONS)
    for (const [folder, values, only = []] of cases)
      it(`give the same objects: ${folder} and ${version}`, async () => {
        const helm = await openHelm(version);
        try {
          const base = byId(kustomized(folder));
          const chart = byId(manifestsIn(await helm.template(CHART, values)));
          const ids = Object.keys(base).filter((id) => ![...ONLY_IN_KUSTOMIZE, ...only].includes(id));
          expect(Object.keys(chart)).to.have.members([...ids, ...ONLY_IN_CHART]);
          for (const id of ids) expect(chart[id], id).to.deep.equal(atHome(base[id], values));
        } finally {
          helm.close();
        }
      });

  it('have the webhook at the port that firewalls of private clusters let through, in each place that names it', () => {
    const text = (kind: string): string =>
      JSON.stringify(kustomized('config/default').filter((manifest) => manifest.kind === kind));
    expect(text('Deployment')).to.contain('{"name":"VAULT_INJECTION_WEBHOOK_PORT","value":"10250"}');
    expect(text('Deployment')).to.contain('{"containerPort":10250,"name":"webhook"}');
    expect(text('NetworkPolicy')).to.contain('"ports":[{"port":10250,"protocol":"TCP"}]');
  });

  it('limit outgoing connections alike', async () => {
    const helm = await openHelm('helm4');
    try {
      const chart = manifestsIn(await helm.template(CHART, { networkPolicy: { egress: { enabled: true } } }));
      const [base] = kustomized('config/network/egress');
      const policy = chart.find(({ metadata }) => metadata.name === base?.metadata.name);
      expect(policy?.spec).to.deep.equal(base?.spec);
    } finally {
      helm.close();
    }
  });
});

/** The base writes this setting as a variable, the chart into the file. */
function atHome(manifest: Manifest | undefined, { settings }: Values): Manifest | undefined {
  if (settings === undefined || manifest === undefined) return manifest;
  const { webhookConfiguration } = settings as Readonly<Record<string, string>>;
  if (manifest.kind === 'ConfigMap') {
    const data = { 'settings.yaml': { vaultIdentities: [], templates: [], webhookConfiguration } };
    return { ...manifest, data };
  }
  if (manifest.kind !== 'Deployment') return manifest;
  return JSON.parse(JSON.stringify(manifest), (_, value: unknown) =>
    Array.isArray(value)
      ? value.filter((one: { name?: string } | null) => one?.name !== 'VAULT_INJECTION_WEBHOOK_CONFIGURATION')
      : value,
  ) as Manifest;
}
