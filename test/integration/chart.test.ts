/** What the chart renders, by Helm 3 and Helm 4, without a cluster. */
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { parse } from 'yaml';

import { releaseChart } from '../../build/release-chart.ts';
import { PRESETS } from '../../core/added-kinds.ts';
import { mark } from '../../core/marks.ts';
import { BUILDING_MS } from '../support/building.ts';
import { CHART, HELM_VERSIONS, idOf, manifestsIn, NAMESPACE, openHelm, RELEASE } from '../support/helm.ts';
import type { Helm, Manifest, Values } from '../support/helm.ts';
import { CASES } from './chart-values.ts';

/** Rules as a release may have them; braces are Prometheus', not Helm's. */
const ALERTS = `groups:
  - name: example
    rules:
      - alert: A
        annotations:
          summary: '{{ $labels.pod }}'
          runbook_url: https://docs.vaultinjection.dev/runbooks/a-page
`;

/** Of the API of Kubernetes: nothing of the chart may be of these kinds. */
const WRITTEN_BY_OTHERS = [
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'Secret',
  'HorizontalPodAutoscaler',
  'Lease',
];

/** Whose result differs from one render to the next, or depends on the cluster. */
const UNSTABLE =
  /\b(lookup|rand\w*|gen(CA|Signed|Self|Private|PrivateKey)\w*|uuidv4|now|date\w*|ago|htpasswd|bcrypt|getHostByName)\b/;

describe('the chart', function () {
  this.timeout(60_000);
  let dir: string;
  let chart: string;
  const helms: Helm[] = [];
  let helm4: Helm;

  before(async function () {
    this.timeout(BUILDING_MS);
    for (const version of HELM_VERSIONS) helms.push((helm4 = await openHelm(version)));
    dir = mkdtempSync(join(tmpdir(), 'chart-'));
    chart = join(dir, 'chart');
    cpSync(CHART, chart, { recursive: true });
    writeFileSync(join(chart, 'files/alerts.yaml'), ALERTS);
  });
  after(() => {
    for (const helm of helms) helm.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const render = async (values: Values = {}, ...more: string[]): Promise<readonly Manifest[]> =>
    manifestsIn(await helm4.template(chart, values, ...more));
  const refusal = async (values: Values): Promise<string> => {
    const { code, stderr } = await helm4.run(['template', chart, '-f', '-'], values);
    return code === 0 ? 'it is accepted' : stderr;
  };

  describe('has a case for each value', () => {
    const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values;

    it('and for no other', () => {
      expect(Object.keys(CASES).sort()).to.deep.equal([...pathsOf(values)].sort());
    });

    for (const [path, { value, look, seen, also = {} }] of Object.entries(CASES))
      it(path, async () => {
        const before = look(await render(nested(also)));
        const after = look(await render(nested({ ...also, [path]: value })));
        expect(after).to.deep.equal(seen);
        expect(after, 'by default').not.to.deep.equal(before);
      });
  });

  it('writes every setting into the file of the settings', async () => {
    const settings = {
      logLevel: 'debug',
      maxRollouts: 3,
      leaderElection: false,
      registries: 'a.example.com,*.b',
      drain: '1m30s',
    };
    const configMap = (await render({ settings })).find(({ kind }) => kind === 'ConfigMap') as unknown as Settings;
    expect(parse(configMap.data['settings.yaml'])).to.deep.equal({ ...settings, templates: [], vaultIdentities: [] });
  });

  it('rolls the Deployment when a setting or a file changes, and not for anything else', async () => {
    const checksum = async (values: Values): Promise<unknown> => {
      const deployment = (await render(values)).find(({ kind }) => kind === 'Deployment') as unknown as Workload;
      return deployment.spec.template.metadata.annotations['checksum/settings'];
    };
    const before = await checksum({});
    expect(await checksum({ settings: { logLevel: 'debug' } })).not.to.equal(before);
    expect(await checksum({ settingsFiles: { 'ca.crt': 'a CA' } })).not.to.equal(before);
    expect(await checksum({ replicas: 5, commonLabels: { a: 'b' } })).to.equal(before);
  });

  it('leaves nothing under the usual name with another one, but what has one name in the cluster', async () => {
    const text = await helm4.template(chart, { fullnameOverride: 'acme' }, '--set', 'prometheusRule.enabled=true');
    const names = manifestsIn(text).filter(({ metadata }) => !metadata.name.startsWith('acme'));
    expect(names.map(idOf)).to.have.members([
      'ClusterRole/vault-injection-policy-viewer',
      'ClusterRole/vault-injection-policy-editor',
      'CustomResourceDefinition/vaultinjectionpolicies.vaultinjection.dev',
      'ValidatingAdmissionPolicy/vault-injection-unresolved-references',
      'ValidatingAdmissionPolicyBinding/vault-injection-unresolved-references',
    ]);
    const binding = manifestsIn(text).find(({ kind }) => kind === 'ClusterRoleBinding');
    expect(JSON.stringify(binding)).to.match(/"roleRef":\{[^}]*"name":"acme"/);
    expect(JSON.stringify(binding)).to.contain(`"name":"acme","namespace":"${NAMESPACE}"`);
  });

  it('is in the namespace of the release, everywhere', async () => {
    const text = await helm4.ok(['template', 'any', chart, '-n', 'elsewhere', '-f', '-'], {
      serviceMonitor: { enabled: true },
    });
    expect(text).not.to.contain(NAMESPACE);
    const clusterWide = /^(Cluster|Custom|Validating|Mutating)/;
    for (const one of manifestsIn(text))
      expect(one.metadata.namespace, idOf(one)).to.equal(clusterWide.test(one.kind) ? undefined : 'elsewhere');
  });

  it('only lets the operator read a webhook configuration that somebody else keeps', async () => {
    const verbsOf = async (values: Values): Promise<unknown> => {
      const role = (await render(values)).find(
        ({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === RELEASE,
      );
      return (role?.rules as { resources: string[]; verbs: string[] }[])
        .filter(({ resources }) => resources.includes('mutatingwebhookconfigurations'))
        .map(({ verbs }) => verbs);
    };
    expect(await verbsOf({ settings: { webhookConfiguration: 'External' } })).to.deep.equal([['list', 'watch']]);
    expect(JSON.stringify(await verbsOf({ settings: { webhookConfiguration: 'Managed' } }))).to.contain('patch');
  });

  it('grants the rights on what settings.templates adds, and on nothing without', async () => {
    const own = { group: 'example.com', version: 'v1', resource: 'as', kind: 'A', template: 'spec.a', rollout: 'None' };
    const presets = Object.keys(PRESETS);
    const named = `${RELEASE}-templates`;
    const roles = (manifests: readonly Manifest[]) => manifests.filter(({ metadata }) => metadata.name === named);
    expect(roles(await render())).to.deep.equal([]);
    const [role, binding] = roles(await render({ settings: { templates: [...presets, own] } }));
    const verbs = ['get', 'list', 'watch', 'patch'];
    const rules = [...Object.values(PRESETS), own].map(({ group, resource }) => ({
      ...{ apiGroups: [group], resources: [resource], verbs },
    }));
    expect(role).to.deep.include({ kind: 'ClusterRole', rules });
    expect(binding).to.include({ kind: 'ClusterRoleBinding' });
    expect(roles(await render({ rbac: { create: false }, settings: { templates: presets } }))).to.deep.equal([]);
    expect(await refusal({ settings: { templates: ['ArgoRolout'] } })).to.contain('templates');
  });

  it('says to config/guard, on the ServiceAccount, what settings.templates adds', async () => {
    const own = { group: 'example.com', version: 'v1', resource: 'as', kind: 'A', template: 'spec.a', rollout: 'None' };
    const annotations = async (values: Values): Promise<unknown> =>
      (await render(values)).find((one) => one.kind === 'ServiceAccount' && one.metadata.name === RELEASE)?.metadata
        .annotations;
    const settings = { templates: ['ArgoRollout', own] };
    const added = { [mark.templates]: 'rollouts.argoproj.io,as.example.com' };
    expect(await annotations({})).to.equal(undefined);
    expect(await annotations({ settings })).to.deep.equal(added);
    expect(await annotations({ settings, serviceAccount: { annotations: { a: 'b' } } })).to.deep.equal({
      a: 'b',
      ...added,
    });
  });

  it('leaves out what an older API server does not know', async () => {
    const kinds = async (version: string): Promise<readonly string[]> =>
      (await render({}, '--kube-version', version)).map(({ kind }) => kind);
    expect(await kinds('v1.36.0-gke.100')).to.include('MutatingAdmissionPolicy');
    const older = await kinds('v1.30.5-eks-1234');
    expect(older).to.include('ValidatingAdmissionPolicy').and.not.include('MutatingAdmissionPolicy');
    expect(older).not.to.include('MutatingAdmissionPolicyBinding');
    const { stderr } = await helm4.run(['template', chart, '--kube-version', 'v1.29.9']);
    expect(stderr).to.match(/requires kubeVersion: >=1\.30\.0-0.*incompatible with Kubernetes v1\.29\.9/);
  });

  it('has the alerts of this version, if there are such', async () => {
    const [rule] = (await render({ prometheusRule: { enabled: true } })).filter(
      ({ kind }) => kind === 'PrometheusRule',
    );
    expect(rule?.spec).to.deep.equal(parse(ALERTS));
    rmSync(join(chart, 'files/alerts.yaml'));
    const without = await render({ prometheusRule: { enabled: true } });
    writeFileSync(join(chart, 'files/alerts.yaml'), ALERTS);
    expect(without.map(({ kind }) => kind)).not.to.include('PrometheusRule');
  });

  describe('renders the same', () => {
    const sets: readonly Values[] = [
      {},
      nested(
        Object.fromEntries(
          Object.entries(CASES).flatMap(([path, { value, also }]) => [...Object.entries(also ?? {}), [path, value]]),
        ),
      ),
    ];
    for (const [index, values] of sets.entries())
      it(`twice, and by Helm 3 and Helm 4: ${index === 0 ? 'without values' : 'with all of them'}`, async () => {
        const texts = [];
        for (const helm of [...helms, ...helms]) texts.push(await helm.template(chart, values));
        const [three = '', four = '', ...again] = texts;
        expect(again).to.deep.equal([three, four]);
        expect(manifestsIn(three)).to.deep.equal(manifestsIn(four));
      });
  });

  it('renders nothing that the operator, an autoscaler or a platform writes', async () => {
    for (const values of [{}, { autoscaled: true, settings: { webhookConfiguration: 'External' } }]) {
      const objects = await render(values);
      expect(objects.filter(({ kind }) => WRITTEN_BY_OTHERS.includes(kind)).map(idOf)).to.deep.equal([]);
      // a policy may have a caBundle, so the CRD has one in its schema
      const text = JSON.stringify(objects.filter(({ kind }) => kind !== 'CustomResourceDefinition'));
      expect(text).not.to.match(/"(caBundle|clusterIP|nodePort|status)":/);
    }
  });

  it('calls no function whose result changes, and looks nothing up', () => {
    for (const file of globSync('templates/*', { cwd: CHART })) {
      const actions = readFileSync(join(CHART, file), 'utf8').match(/\{\{-?(?!-? ?\/\*)[^]*?\}\}/g) ?? [];
      const code = actions.map((action) => action.replaceAll(/"[^"]*"/g, '""'));
      expect(
        code.filter((action) => UNSTABLE.test(action)),
        file,
      ).to.deep.equal([]);
    }
  });

  it('passes the lint of both versions of Helm', async () => {
    for (const helm of helms) expect(await helm.ok(['lint', '--strict', chart])).to.contain('0 chart(s) failed');
  });

  it('of a release is packaged by both versions of Helm, and asks for its images by digest', async () => {
    const released = join(dir, 'released');
    const { version } = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { version: string };
    const images = ['vault-injection-operator', 'vault-env'].map((name, i) => ({
      name: `registry.example.com/acme/${name}:${version}`,
      digest: `sha256:${String(i + 1).repeat(64)}`,
      archive: `${name}.tar`,
      platforms: {},
    }));
    releaseChart(released, images, {
      notes: '### Added\n\n- all of it',
      source: 'https://git.example.com/acme/operator',
    });
    for (const helm of helms) {
      await helm.ok(['lint', '--strict', released]);
      await helm.ok(['package', released, '--destination', join(dir, helm.version)]);
      const text = await helm.template(join(dir, helm.version, `${RELEASE}-${version}.tgz`));
      for (const { name, digest } of images) expect(text).to.contain(`${name.replace(/:[^:]*$/, '')}@${digest}`);
      expect(text).not.to.contain('localhost/');
    }
  });

  it('works as a dependency of another chart, with a condition and global values', async () => {
    const parent = join(dir, 'parent');
    mkdirSync(join(parent, 'charts'), { recursive: true });
    cpSync(CHART, join(parent, 'charts', RELEASE), { recursive: true });
    const dependency = { name: RELEASE, version: '>=0.0.0-0', repository: '', condition: `${RELEASE}.enabled` };
    const file = { apiVersion: 'v2', name: 'parent', version: '1.0.0', dependencies: [dependency] };
    writeFileSync(join(parent, 'Chart.yaml'), JSON.stringify(file));
    const values = { global: { imageRegistry: 'r.example.com' }, [RELEASE]: { enabled: true, replicas: 4 } };
    for (const helm of helms) {
      const deployment = manifestsIn(await helm.template(parent, values)).find(({ kind }) => kind === 'Deployment');
      expect((deployment as unknown as Workload).spec.replicas).to.equal(4);
    }
  });

  describe('refuses, with a sentence', () => {
    const wrong: readonly (readonly [what: string, values: Values, message: RegExp])[] = [
      ['an unknown value', { replica: 3 }, /additional properties 'replica' not allowed/],
      [
        'an unknown value further down',
        { image: { registri: 'x' } },
        /at '\/image': additional properties 'registri' not allowed/,
      ],
      [
        'an unknown setting',
        { settings: { logLvel: 'debug' } },
        /at '\/settings': additional properties 'logLvel' not allowed/,
      ],
      ['a text for a number', { replicas: 'three' }, /at '\/replicas': got string, want integer/],
      ['a text for a switch', { hostNetwork: 'yes' }, /at '\/hostNetwork': got string, want boolean/],
      ['a list for a mapping', { nodeSelector: ['a'] }, /at '\/nodeSelector': got array, want object/],
      ['a number for a label', { podLabels: { a: 1 } }, /at '\/podLabels\/a': got number, want string/],
      [
        'a word that is none of the list',
        { service: { ipFamilyPolicy: 'Dual' } },
        /at '\/service\/ipFamilyPolicy': value must be one of '', 'SingleStack'/,
      ],
      [
        'a level that is none',
        { settings: { logLevel: 'loud' } },
        /at '\/settings\/logLevel': value must be one of 'debug', 'info'/,
      ],
      ['a port beyond 65535', { webhook: { port: 70000 } }, /at '\/webhook\/port': maximum: got 70,?000, want 65,?535/],
      [
        'a short digest',
        { image: { digest: 'sha256:abc' } },
        /at '\/image\/digest': 'sha256:abc' does not match pattern .*sha256/,
      ],
      [
        'a duration without unit',
        { settings: { drain: '5' } },
        /settings\.drain: "5" is not allowed; write a duration such as 15s/,
      ],
      [
        'a registry with a scheme',
        { settings: { registries: 'https://x' } },
        /settings\.registries: "https:\/\/x" is not allowed; write hosts separated by commas/,
      ],
      [
        'a setting that the chart sets',
        { settings: { injectorImage: 'x' } },
        /settings\.injectorImage is set by the chart: write injector\.image$/m,
      ],
      [
        'a Vault without paths',
        { settings: { vaultIdentities: [{ name: 'a', address: 'https://v' }] } },
        /missing property 'paths'/,
      ],
      [
        'the port of the kubelet on a node',
        { hostNetwork: true },
        /hostNetwork: the kubelet of each node has port 10250: write another one as webhook\.port/,
      ],
      ['one port for two servers', { webhook: { port: 8081 } }, /webhook\.port and metrics\.port are both 8081/],
      [
        'a volume of a kind that is none',
        { extraVolumes: [{ name: 'a', secrt: {} }] },
        /at '\/extraVolumes\/0': additional properties 'secrt' not allowed/,
      ],
    ];
    for (const [what, values, message] of wrong)
      it(what, async () => {
        expect(await refusal(values)).to.match(message);
      });
  });
});

interface Settings {
  readonly data: Readonly<Record<'settings.yaml', string>>;
}

interface Workload {
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly metadata: { readonly annotations: Readonly<Record<string, string>> } };
  };
}

/** The paths of all values: of what is no mapping, or an empty one. */
function pathsOf(values: Values, above = ''): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const path = `${above}${name}`;
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMapping && Object.keys(value).length > 0 ? pathsOf(value as Values, `${path}.`) : [path];
  });
}

/** Values by their paths, as a values file has them. */
function nested(byPath: Readonly<Record<string, unknown>>): Values {
  const values: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(byPath)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    const inner = names.reduce((map, name) => (map[name] ??= {}) as Record<string, unknown>, values);
    inner[last] = value;
  }
  return values;
}
