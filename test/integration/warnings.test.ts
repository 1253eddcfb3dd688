/** What `kubectl apply` says about references that nothing resolves, by the ValidatingAdmissionPolicy of config/warnings. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { WORKLOAD_KINDS } from '../../core/kinds.ts';
import { mark } from '../../core/marks.ts';
import { BUILDING_MS } from '../support/building.ts';
import type { CommandResult, ControlPlane } from '../support/control-plane.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { chosenMinor, defaultConfig } from '../support/kubernetes-versions.ts';
import { eventually, startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';
import { openWorkspace } from '../support/workspace.ts';
import type { Workspace } from '../support/workspace.ts';
import { Cluster } from './cluster.ts';
import { container, DB_PASSWORD, deployment, policy } from './manifests.ts';
import type { Container } from './manifests.ts';
import { workload, WORKLOADS } from './workload-manifests.ts';
import type { AnyWorkload, WorkloadChanges } from './workload-manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAME = 'vault-injection-unresolved-references';
const PREFIX = `Warning: Validation failed for ValidatingAdmissionPolicy '${NAME}' with binding '${NAME}': `;
const ANNOTATION = 'validation.policy.admission.k8s.io/validation_failure';

const TEXT = 'nothing resolves the references to Vault in ';
const MEANT = 'If they are meant as text, annotate it with vaultinjection.dev/inject: "false"';
const NOT_BY_DEFAULT = ['Pod', 'ReplicaSet', 'ReplicationController'];
const notInjected = (kind: string): string => {
  const isAdded = NOT_BY_DEFAULT.includes(kind);
  const how = isAdded ? 'has to be added to spec.targets' : 'has to be in spec.targets, as it is by default';
  const where = 'see kubectl get vaultinjectionpolicies -n plain';
  return `no VaultInjectionPolicy has injected this ${kind}: ${kind} ${how}; ${where}. ${MEANT}`;
};

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly namespace?: string; readonly name?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

describe('references that nothing resolves', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;
  let workspace: Workspace;

  before(async function () {
    this.timeout(BUILDING_MS);
    workspace = await openWorkspace('audit');
    const rules = [{ level: 'Metadata', verbs: ['create', 'update', 'patch'] }, { level: 'None' }];
    const auditPolicy = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules };
    const file = workspace.write('audit.json', JSON.stringify(auditPolicy));
    plane = await startControlPlane({
      apiServerArgs: [`--audit-policy-file=${file}`, `--audit-log-path=${join(workspace.dir, 'audit.log')}`],
    });
    cluster = new Cluster(plane);
    await plane.kubectlOk(['apply', '-k', defaultConfig()]);
    operator = await startOperator({ controlPlane: plane });
    for (const namespace of ['plain', 'quiet', 'shop']) {
      await cluster.namespace(namespace);
      await plane.kubectlOk(['wait', '--for=create', 'serviceaccount/default', '-n', namespace, '--timeout=30s']);
    }
    await plane.kubectlOk(['label', 'namespace', 'quiet', `${mark.warnings}=off`]);
    await cluster.policy(policy('shop', 'shop', { targets: [...WORKLOAD_KINDS] }));
    await eventually('the warnings', async () => ((await tried(workload('Job'))).length > 0 ? true : undefined));
  });

  after(async () => {
    await operator.stop();
    await plane.stop();
    await workspace.close();
  });

  /** Returns all warnings that a user sees, those of the policy without the words that the API server adds. */
  const warnings = ({ stderr, code }: CommandResult): readonly string[] => {
    expect(code, stderr).to.equal(0);
    const lines = stderr.split('\n').filter((line) => line.startsWith('Warning: '));
    return lines.map((line) => line.replace(PREFIX, ''));
  };
  /** Creates objects as a dry run, which admission sees like any other request. */
  const tried = async (...objects: AnyWorkload[]): Promise<readonly string[]> => {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    return warnings(await plane.kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(list)));
  };
  const applied = async (object: unknown): Promise<readonly string[]> =>
    warnings(await plane.kubectl(['apply', '-f', '-'], JSON.stringify(object)));
  const audited = (resource: string): readonly AuditEvent[] =>
    readFileSync(join(workspace.dir, 'audit.log'), 'utf8')
      .split('\n')
      .filter((line) => line.includes(`"resource":"${resource}"`))
      .map((line) => JSON.parse(line) as AuditEvent);

  describe('of every kind cause a warning', () => {
    for (const kind of WORKLOADS)
      it(kind, async () => {
        expect(await tried(workload(kind))).to.deep.equal([`${TEXT}container app (DB_PASSWORD): ${notInjected(kind)}`]);
      });

    it('which passes the check of expressions against the schema of each kind', async () => {
      const status = await eventually('the check', async () => {
        const { metadata, status } = JSON.parse(
          await plane.kubectlOk(['get', 'validatingadmissionpolicy', NAME, '-o', 'json']),
        ) as { metadata: { generation: number }; status?: { observedGeneration?: number; typeChecking?: unknown } };
        return status?.observedGeneration === metadata.generation ? status : undefined;
      });
      expect(status.typeChecking).to.deep.equal({});
    });
  });

  describe('cause no warning', () => {
    const silent = (what: string, object: AnyWorkload): void => {
      it(what, async () => expect(await tried(object)).to.deep.equal([]));
    };
    const owned = (apiVersion: string, kind: string): WorkloadChanges => ({
      metadata: { ownerReferences: [{ apiVersion, kind, name: 'owner', uid: 'c0ffee', controller: true }] },
    });
    const annotated = (annotations: Record<string, string>): WorkloadChanges => ({ template: { annotations } });
    const wrapped = (command: string[]): WorkloadChanges => ({ containers: [container('app', { command })] });

    silent('in a Deployment that is injected', workload('Deployment', { namespace: 'shop' }));
    silent('in a StatefulSet that is injected', workload('StatefulSet', { namespace: 'shop' }));
    for (const kind of ['DaemonSet', 'CronJob', 'Job', 'ReplicaSet', 'ReplicationController', 'Pod'] as const)
      silent(`in a ${kind} that is injected`, workload(kind, { namespace: 'shop' }));
    for (const kind of ['Deployment', 'Job'] as const)
      silent(`in a ${kind} of a namespace with the label`, workload(kind, { namespace: 'quiet' }));
    silent('in a namespace of the cluster', workload('DaemonSet', { namespace: 'kube-system' }));
    silent('in the Pod of a controller', workload('Pod', owned('apps/v1', 'ReplicaSet')));
    silent('in the Job of a CronJob', workload('Job', owned('batch/v1', 'CronJob')));
    silent('in the ReplicaSet of a Deployment', workload('ReplicaSet', owned('apps/v1', 'Deployment')));
    silent(
      'if the annotation says that they are meant',
      workload('Job', { metadata: { annotations: { 'vaultinjection.dev/inject': 'false' } } }),
    );
    silent('or that of the template', workload('CronJob', annotated({ 'vaultinjection.dev/inject': ' False ' })));
    silent('if vault-env is the command', workload('Job', wrapped(['/usr/local/bin/vault-env', '--', '/app'])));
    silent('found in PATH, too', workload('Pod', wrapped(['vault-env', '/app'])));
    silent(
      'if Bank-Vaults resolves them',
      workload('Deployment', annotated({ 'vault.security.banzaicloud.io/vault-addr': 'https://vault:8200' })),
    );
    silent(
      'or the webhook that follows it',
      workload('Deployment', annotated({ 'secrets-webhook.security.bank-vaults.io/provider': 'vault' })),
    );
    silent(
      'in an environment without references',
      workload('Job', { containers: [container('app', { env: [{ name: 'PORT', value: '8080' }] })] }),
    );
    silent('where there is no environment', workload('Job', { containers: [{ name: 'app', image: 'app:1' }] }));
  });

  describe('cause one all the same', () => {
    const loud = (what: string, object: AnyWorkload, ...expected: string[]): void => {
      it(what, async () =>
        expect((await tried(object)).map((text) => text.replace(TEXT, '').split(': ')[0])).to.deep.equal(expected),
      );
    };

    loud(
      'in the Deployment of a custom resource',
      workload('Deployment', owner('Shop')),
      'container app (DB_PASSWORD)',
    );
    loud(
      'if Bank-Vaults is told to skip the pods',
      workload('Deployment', {
        template: {
          annotations: {
            'vault.security.banzaicloud.io/vault-addr': 'https://vault:8200',
            'vault.security.banzaicloud.io/mutate': 'skip',
          },
        },
      }),
      'container app (DB_PASSWORD)',
    );
    loud(
      "if Vault's agent writes files into the pods",
      workload('Deployment', { template: { annotations: { 'vault.hashicorp.com/agent-inject': 'true' } } }),
      'container app (DB_PASSWORD)',
    );
    loud(
      'if the template asks for injection, whatever the object says',
      workload('Deployment', {
        metadata: { annotations: { 'vaultinjection.dev/inject': 'false' } },
        template: { annotations: { 'vaultinjection.dev/inject': 'true' } },
      }),
      'container app (DB_PASSWORD)',
    );
    loud(
      'in an init container, before the others',
      workload('Job', { initContainers: [container('migrate')] }),
      'container migrate (DB_PASSWORD), container app (DB_PASSWORD)',
    );
    loud(
      'beside a container that is wrapped',
      workload('Pod', {
        containers: [
          container('web', { env: [DB_PASSWORD, { name: 'VAULT_ENV_CONFIG', value: '{}' }] }),
          container('sidecar'),
        ],
      }),
      'container sidecar (DB_PASSWORD)',
    );
  });

  describe('are what vault-env would resolve', () => {
    const container = (name: string, value: string): Container => ({
      name: 'app',
      image: 'app:1',
      env: [{ name, value }],
    });
    const found = async (values: readonly string[]): Promise<readonly boolean[]> => {
      const pods = values.map((value, index) =>
        workload('Pod', { name: `pod-${index}`, containers: [container(`V${index}`, value)] }),
      );
      const text = (await tried(...pods)).join('\n');
      return values.map((_, index) => text.includes(`(V${index})`));
    };

    it('in the whole table of values that vault-env is held to', async () => {
      const rows = JSON.parse(readFileSync(join(ROOT, 'vault-env/testdata/references.json'), 'utf8')) as {
        value: string;
        references: unknown[];
        error?: string;
      }[];
      // a manifest writes $$ for $
      const answers = await found(rows.map(({ value }) => value.replaceAll('$', '$$$$')));
      const expected = rows.map(({ references, error }) => references.length > 0 || error !== undefined);
      const wrong = rows.filter((_, index) => answers[index] !== expected[index]);
      expect(wrong.map(({ value }) => value)).to.deep.equal([]);
    });

    it('as manifests write them', async () => {
      const table: readonly (readonly [value: string, isReference: boolean])[] = [
        ['${vault:secret/data/shop/db#password}', true],
        ['a$${vault:secret/data/shop/db#password}', true], // the kubelet leaves one of two dollars
        ['$$${vault:x#y}', false],
        ['$$$${vault:x#y}', false],
        ['$$$$${vault:x#y}', false],
        ['$$${vault:x#y} ${>>vault:x#y}', true],
        ['>>vault:pki/issue/web#certificate', true],
        ['vault:8200', false],
        ['vault:8200/v1', false],
        ['https://vault:8200', false],
        ['https://vault:8200/ui#/vault:secrets', false],
        ['$(VAULT)/vault:x#y', false],
        ['VAULT:secret/data/shop/db#password', false],
      ];
      expect(await found(table.map(([value]) => value))).to.deep.equal(table.map(([, isReference]) => isReference));
    });
  });

  it('cause a warning of names alone, in less than 1 KiB, however many there are', async () => {
    const long = 'V'.repeat(300);
    const env = Array.from({ length: 20 }, (_, index) => ({ ...DB_PASSWORD, name: `${long}${index}` }));
    const containers = Array.from({ length: 50 }, (_, index) => container(`c${index}-${'x'.repeat(59)}`, { env }));
    const [text = '', ...others] = await tried(workload('Job', { containers }));
    const short = `${'V'.repeat(63)}...`;
    const listed = `(${short}, ${short}, ${short} and 17 more)`;
    expect(text.split(listed)).to.have.length(3);
    expect(text).to.contain(' and 48 more: no VaultInjectionPolicy');
    expect(text).not.to.contain('secret/data');
    expect([text.length < 1024, others]).to.deep.equal([true, []]);
  });

  describe('do not keep a large object out', () => {
    const sized = (count: number, value: string): AnyWorkload => {
      const env = Array.from({ length: count }, (_, index) => ({ name: `V${index}`, value }));
      return workload('Pod', { containers: [container('app', { env })] });
    };
    const inline = `${'x'.repeat(100_000)}\${vault:secret/data/shop/db#password}`;

    it('1,000 variables cause a warning', async () => {
      const [text] = await tried(sized(1000, DB_PASSWORD.value));
      expect(text).to.contain('container app (V0, V1, V2 and 997 more): ');
    });

    // older API servers count more units for the same expressions, and end at 0.95 MB
    const most = chosenMinor() === undefined ? 10 : 9;

    it('ten values of 100 KB cause a warning, or nine on an older API server', async () => {
      expect((await tried(sized(most, inline)))[0]).to.contain(`container app (V0, V1, V2 and ${most - 3} more): `);
    });

    it('what would take long is left alone: 2.5 MB of text, 20,000 variables', async () => {
      expect(await tried(sized(25, inline))).to.deep.equal([]);
      expect(await tried(sized(20_000, DB_PASSWORD.value))).to.deep.equal([]);
    });
  });

  describe('in an object that changes', () => {
    const web = deployment('plain', 'web');
    const expected = `${TEXT}container app (DB_PASSWORD): ${notInjected('Deployment')}`;

    it('cause a warning when it is created, and are stored', async () => {
      expect(await applied({ ...web, spec: { ...web.spec, replicas: 1 } })).to.deep.equal([expected]);
      const { spec } = await cluster.get('plain', 'web');
      expect(spec.template.spec.containers[0]?.env).to.deep.include(DB_PASSWORD);
    });

    it('cause none in what controllers make of it', async () => {
      for (const [resource, controller] of [
        ['replicasets', 'deployment-controller'],
        ['pods', 'replicaset-controller'],
      ] as const) {
        const username = `system:serviceaccount:kube-system:${controller}`;
        const created = await eventually(`${resource} in the audit log`, () => {
          const events = audited(resource).filter(({ verb, user }) => verb === 'create' && user.username === username);
          return events.length > 0 ? events : undefined;
        });
        expect(created.flatMap(({ annotations }) => annotations?.[ANNOTATION] ?? [])).to.deep.equal([]);
      }
    });

    it('cause none while its spec stays: metadata, scale, status', async () => {
      const target = ['deployment/web', '-n', 'plain'];
      const label = await plane.kubectl(['label', ...target, 'team=shop']);
      const scale = await plane.kubectl(['scale', ...target, '--replicas=0']);
      const status = ['patch', ...target, '--subresource=status', '--type=merge', '-p', '{"status":{"replicas":7}}'];
      expect([label, scale, await plane.kubectl(status)].flatMap(warnings)).to.deep.equal([]);
    });

    it('cause one when its spec changes', async () => {
      const image = ['set', 'image', 'deployment/web', '-n', 'plain', 'app=registry.example.com/shop:2'];
      expect(warnings(await plane.kubectl(image))).to.deep.equal([expected]);
    });

    it('are in the audit log, with the same words', async () => {
      const failures = await eventually('the audit log', () => {
        const events = audited('deployments').filter(
          ({ objectRef }) => objectRef?.namespace === 'plain' && objectRef.name === 'web',
        );
        const found = events.flatMap(({ verb, annotations }) => {
          const value = annotations?.[ANNOTATION];
          return value === undefined ? [] : [{ verb, failures: JSON.parse(value) as unknown }];
        });
        return found.length === 2 ? found : undefined;
      });
      const failure = {
        message: expected,
        policy: NAME,
        binding: NAME,
        expressionIndex: 0,
        validationActions: ['Warn', 'Audit'],
      };
      expect(failures).to.deep.equal([
        { verb: 'create', failures: [failure] },
        { verb: 'patch', failures: [failure] },
      ]);
    });
  });

  it('are found by expressions in which GitOps tools find no variable', () => {
    expect(readFileSync(join(ROOT, 'config/warnings/policy.yaml'), 'utf8')).not.to.match(/\$[{$]/);
  });

  it('cause none in an installation that leaves the warnings out, as config/README.md says', async () => {
    const overlay = join(workspace.dir, 'install/overlay');
    mkdirSync(overlay, { recursive: true });
    for (const folder of ['config', 'crds'])
      cpSync(join(ROOT, folder), join(workspace.dir, 'install', folder), { recursive: true });
    const readme = readFileSync(join(ROOT, 'config/README.md'), 'utf8');
    writeFileSync(join(overlay, 'kustomization.yaml'), /```yaml\n([^]*?)```/.exec(readme)?.[1] ?? '');
    const text = await plane.kubectlOk(['kustomize', overlay]);
    expect(text)
      .to.contain('kind: Deployment')
      .and.not.match(/kind: \w+AdmissionPolicy/);
  });
});

function owner(kind: string): WorkloadChanges {
  return { metadata: { ownerReferences: [{ apiVersion: 'example.com/v1', kind, name: 'owner', uid: 'c0ffee' }] } };
}
