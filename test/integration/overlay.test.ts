/** An overlay over config/default that moves it to another namespace and gives its objects a prefix, as teams do. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';

import { asString, parseJson } from '../../core/json.ts';
import { BUILDING_MS } from '../support/building.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { defaultConfig, has } from '../support/kubernetes-versions.ts';
import { eventually, startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAMESPACE = 'security';
const NAME = 'acme-vault-injection-operator';
const SETTINGS = 'logLevel: info';

interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly rules?: readonly { readonly resources: readonly string[]; readonly resourceNames?: readonly string[] }[];
  readonly spec?: {
    readonly template?: { readonly spec: { readonly containers: readonly Container[]; readonly volumes: unknown } };
    readonly policyName?: string;
    readonly paramRef?: object;
  };
}

interface Container {
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
}

describe('a kustomize overlay with namespace and namePrefix', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let overlay: string;
  let objects: readonly Rendered[];
  let operator: RunningOperator | undefined;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    overlay = join(plane.dir, 'install/overlay');
    mkdirSync(overlay, { recursive: true });
    // kustomize wants relative paths: the copy lies beside a copy of config and crds
    for (const folder of ['config', 'crds'])
      cpSync(join(ROOT, folder), join(plane.dir, 'install', folder), { recursive: true });
    writeFileSync(
      join(overlay, 'kustomization.yaml'),
      JSON.stringify({
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        namespace: NAMESPACE,
        namePrefix: 'acme-',
        resources: [`../config/${basename(defaultConfig())}`],
        // config/README.md
        patches: [
          {
            target: { kind: 'ClusterRole', name: 'vault-injection-operator' },
            patch: JSON.stringify([
              { op: 'test', path: '/rules/13/resources/0', value: 'clusterroles' },
              { op: 'replace', path: '/rules/13/resourceNames/0', value: NAME },
            ]),
          },
        ],
        configMapGenerator: [
          {
            name: 'vault-injection-operator-settings',
            namespace: 'vault-injection-system',
            behavior: 'merge',
            literals: [`settings.yaml=${SETTINGS}`, 'vault-ca.crt=a CA'],
          },
        ],
      }),
    );
    const text = await plane.kubectlOk(['kustomize', overlay]);
    objects = parseAllDocuments(text).map((document) => document.toJS() as Rendered);
  });
  after(async () => {
    await operator?.stop();
    await plane.stop();
  });

  const all = (kind: string): readonly Rendered[] => objects.filter((one) => one.kind === kind);
  const env = (name: string) =>
    all('Deployment')[0]?.spec?.template?.spec.containers[0]?.env.find((one) => one.name === name);

  it('tells the operator its namespace, its Service, and the ServiceAccount for Vault', () => {
    expect(env('VAULT_INJECTION_NAMESPACE')?.valueFrom).to.deep.equal({
      fieldRef: { fieldPath: 'metadata.namespace' },
    });
    expect(env('VAULT_INJECTION_VAULT_SERVICE_ACCOUNT')?.value).to.equal(`${NAME}-vault`);
    expect(all('ServiceAccount').map(({ metadata }) => metadata.name)).to.have.members([NAME, `${NAME}-vault`]);
    expect(all('Service').map(({ metadata }) => metadata.name)).to.deep.equal([NAME]);
    expect(env('VAULT_INJECTION_WEBHOOK_SERVICE')?.value).to.equal(NAME);
    expect(env('VAULT_INJECTION_CLUSTER_ROLE')?.value).to.equal(NAME);
    expect(all('ClusterRole').map(({ metadata }) => metadata.name)).to.include(NAME);
  });

  it('gives the operator the settings file of the overlay, and rolls it when the file changes', () => {
    const [{ metadata, data } = {}, ...others] = all('ConfigMap');
    expect([others, data]).to.deep.equal([[], { 'settings.yaml': SETTINGS, 'vault-ca.crt': 'a CA' }]);
    const settings = metadata?.name;
    expect(settings).to.match(/^acme-vault-injection-operator-settings-[a-z0-9]{10}$/);
    expect(all('Deployment')[0]?.spec?.template?.spec.volumes).to.deep.equal([
      { name: 'settings', configMap: { name: settings } },
    ]);
    expect(env('VAULT_INJECTION_CONFIG')?.value).to.equal('/etc/vault-injection-operator/settings.yaml');
  });

  it('changes the names in rights where it changes those of the objects, and no other', () => {
    const rules = [...all('Role'), ...all('ClusterRole')].flatMap((role) => role.rules ?? []);
    const named = rules.flatMap(({ resources, resourceNames = [] }) =>
      resourceNames.map((name) => `${resources.join()} ${name}`),
    );
    expect(named).to.have.members([
      `serviceaccounts/token ${NAME}-vault`,
      'secrets vault-injection-operator-webhook',
      'configmaps vault-injection-operator-probe',
      'leases vault-injection-operator-leader',
      'mutatingwebhookconfigurations vault-injection-operator',
      `clusterroles ${NAME}`,
      'customresourcedefinitions vaultinjectionpolicies.vaultinjection.dev',
    ]);
  });

  it('binds the warnings to their policy', () => {
    const name = 'acme-vault-injection-unresolved-references';
    const policies = all('ValidatingAdmissionPolicy').map(({ metadata }) => metadata.name);
    expect(policies).to.have.members([name, `${NAME}-workloads`, `${NAME}-objects`]);
    expect(all('ValidatingAdmissionPolicyBinding').map(({ spec }) => spec?.policyName)).to.have.members(policies);
  });

  it('binds what guards the operator to its ServiceAccount', () => {
    const marks = has('mutatingAdmissionPolicies') ? [`${NAME}-marks`] : [];
    expect(all('MutatingAdmissionPolicyBinding').map(({ spec }) => spec?.policyName)).to.deep.equal(marks);
    const bindings = [...all('ValidatingAdmissionPolicyBinding'), ...all('MutatingAdmissionPolicyBinding')];
    const params = bindings.map(({ spec }) => spec?.paramRef).filter((param) => param !== undefined);
    const param = { name: NAME, namespace: NAMESPACE, parameterNotFoundAction: 'Allow' };
    expect(params).to.deep.equal([param, param, ...marks.map(() => param)]);
  });

  it('guards it there: a token of it changes no spec', async () => {
    await plane.kubectlOk(['apply', '-k', overlay]);
    await plane.kubectlOk(['create', 'deployment', 'theirs', '--image=theirs:1']);
    const token = (await plane.kubectlOk(['create', 'token', NAME, '-n', NAMESPACE])).trim();
    const stolen = plane.kubeconfigWithToken('stolen', token);
    // without marks, the guard knows less of what injection writes, and refuses a change of the spec as such
    const words = has('mutatingAdmissionPolicies') ? 'own annotations' : 'may not change the spec of a workload';
    await eventually('it to be refused', async () => {
      const patch = ['patch', 'deployment', 'theirs', '-p', '{"spec":{"replicas":7}}', '--dry-run=server'];
      const { stderr } = await plane.kubectl(['--kubeconfig', stolen, ...patch]);
      return new RegExp(`acme-vault-injection-operator-workloads.*${words}`).test(stderr) ? true : undefined;
    });
  });

  it('lets the operator work with the rights of its ServiceAccount, in that namespace', async () => {
    await plane.kubectlOk(['apply', '-k', overlay]);
    const token = await plane.kubectlOk(['create', 'token', NAME, '-n', NAMESPACE]);
    operator = await startOperator({
      controlPlane: {
        kubeconfig: plane.kubeconfigWithToken('operator', token.trim()),
        kubectlOk: (args, stdin) => plane.kubectlOk(args, stdin),
      },
      service: NAME,
      prepare: false,
      flags: ['--namespace', NAMESPACE, '--vault-service-account', `${NAME}-vault`, '--cluster-role', NAME],
    });
    const running = operator;
    await eventually(
      'it to be ready',
      async () => (await running.health('/readyz')).status === 200 || undefined,
      60_000,
    );
    const lease = ['get', 'lease', 'vault-injection-operator-leader', '-n', NAMESPACE, '-o', 'name'];
    await eventually('it to lead', async () => (await plane.kubectl(lease)).code === 0 || undefined);
    const configuration = async (): Promise<string> =>
      plane.kubectlOk(['get', 'mutatingwebhookconfiguration', 'vault-injection-operator', '-o', 'yaml']);
    await plane.kubectlOk(['create', 'namespace', 'shop']);
    await plane.kubectlOk(
      ['apply', '-n', 'shop', '-f', '-'],
      JSON.stringify({
        apiVersion: 'vaultinjection.dev/v1alpha1',
        kind: 'VaultInjectionPolicy',
        metadata: { name: 'shop' },
        spec: { vault: { address: 'https://127.0.0.1:1' } },
      }),
    );
    await eventually('its configuration', async () => (await configuration()).includes(`name: ${NAME}`) || undefined);
    expect(await configuration()).to.contain(`namespace: ${NAMESPACE}`);
    const owner = ['-o', 'jsonpath={.metadata.ownerReferences[*].name}'];
    const configured = ['get', 'mutatingwebhookconfiguration', 'vault-injection-operator', ...owner];
    expect(await plane.kubectlOk(configured)).to.equal(NAME);
    expect(refusalsIn(running.log())).to.deep.equal([]);
  });
});

/** Lines that tell of a refusal by the API server in words: in a number or a time, 403 means something else. */
function refusalsIn(log: string): readonly string[] {
  const tells = ([name, value]: [string, unknown]): boolean =>
    name !== 'time' && /\b403\b|forbidden/i.test(asString(value) ?? '');
  return log
    .split('\n')
    .filter(Boolean)
    .filter((line) => Object.entries(parseJson(line) ?? {}).some(tells));
}
