/**
 * Alerts that fire and resolve in a real Prometheus, which scrapes the real API server and the real operator.
 *
 * The rules are those that are shipped, hastened: see hastened().
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { ensureTools } from '../../build/tools/tools.ts';
import { AUTHORITY_LIFE_MS, createAuthority } from '../../webhook/certificates/authority.ts';
import { encodeSet, SECRET_NAME } from '../../webhook/certificates/secret.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { ALERTS, ALERTS_FILE, dashboardExpressions, metricsIn, seriesIn } from '../support/monitoring.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { startPrometheus, type Alert, type Prometheus } from '../support/prometheus.ts';
import { startSilentRegistry, type SilentRegistry } from '../support/silent-registry.ts';
import { OPERATOR } from '../support/vault.ts';
import { Cluster } from './cluster.ts';
import { container, deployment, policy, type Workload } from './manifests.ts';

const FASTER = 30;
/** Above the 13 s in which a dead watch of policies is noticed. Those of other resources may be older and well. */
const STALE_SECONDS = 20;
const POLICIES = 'vaultinjectionpolicies';
/** As long as anything may take on a busy machine. */
const PATIENCE_MS = 120_000;

/**
 * The rules with all windows, offsets and `for` a thirtieth as long, and an age of 20 s instead of 300 s from which on a
 * watch is stale. Nothing else is changed.
 */
function hastened(rules: string): string {
  return rules
    .replace(/(?<=\[|offset |for: )(\d+)m\b/g, (_, minutes: string) => `${(Number(minutes) * 60) / FASTER}s`)
    .replace(/(?<=vault_injection_watch_age_seconds > )\d+/, String(STALE_SECONDS));
}

describe('the alerts, provoked', function () {
  this.timeout(4 * PATIENCE_MS);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;
  let prometheus: Prometheus;
  let registry: SilentRegistry;
  const seen = new Set<string>();

  before(async function () {
    this.timeout(BUILDING_MS);
    registry = await startSilentRegistry();
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    operator = await start();
    prometheus = await startPrometheus({ controlPlane: plane, rules: hastened(readFileSync(ALERTS_FILE, 'utf8')) });
    prometheus.scrape([scrapedAt(operator)]);
    for (const [namespace, failurePolicy] of [
      ['strict', 'Fail'],
      ['lenient', 'Ignore'],
    ] as const) {
      await cluster.namespace(namespace);
      await cluster.policy(policy(namespace, 'shop', { failurePolicy }));
    }
  });
  after(async () => {
    await prometheus.stop();
    await operator.stop();
    await plane.stop();
    await registry.stop();
  });

  const start = (...flags: string[]): Promise<RunningOperator> =>
    startOperator({
      controlPlane: plane,
      flags: ['--registries', registry.host, '--registry-plain-http', registry.host, ...flags],
    });
  const scrapedAt = ({ healthUrl }: RunningOperator): string => new URL(healthUrl).host;

  async function firing(name: string): Promise<readonly Alert[]> {
    const alerts = await prometheus.alerts();
    return alerts.filter(
      ({ state, labels: { alertname, resource = POLICIES } }) =>
        state === 'firing' && alertname === name && resource === POLICIES,
    );
  }

  /** Waits until the alert fires, provoking it again and again; resolves with its labels. */
  async function fires(
    name: string,
    provoke: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<Alert['labels']> {
    const found = await eventually(
      `${name} to fire`,
      async () => {
        await provoke();
        return (await firing(name))[0];
      },
      PATIENCE_MS,
      async () => JSON.stringify(await prometheus.alerts()),
    );
    seen.add(name);
    expect(found.annotations.runbook_url).to.be.a('string');
    return found.labels;
  }

  const resolves = (name: string): Promise<true> =>
    eventually(
      `${name} to resolve`,
      async () => ((await firing(name)).length === 0 ? true : undefined),
      PATIENCE_MS,
      async () => JSON.stringify(await prometheus.alerts()),
    );

  /** Creates a workload and says nothing of what comes of it. */
  const attempt = (workload: Workload, ...flags: string[]): Promise<unknown> =>
    plane.kubectl(['create', ...flags, '-f', '-'], JSON.stringify(workload));

  let count = 0;
  const name = (): string => `app-${count++}`;

  it('are silent while all is well', async () => {
    await eventually('everything to be scraped', async () => {
      const up = await prometheus.query('up == 1');
      const leaders = await prometheus.query('vault_injection_leader == 1');
      return up.length === 2 && leaders.length === 1 ? true : undefined;
    });
    await cluster.apply(deployment('strict', name()));
    for (const { alert } of ALERTS) expect(await firing(alert), alert).to.deep.equal([]);
  });

  it('have runbooks whose commands of kubectl the API server understands', async () => {
    const { kubectl } = await ensureTools(['kubectl']);
    const commands = runbookCommands();
    expect(commands.length).to.be.above(12);
    const failures = commands.map((command) => {
      const { status, stderr } = spawnSync('bash', ['-c', command.replace(/^kubectl/, kubectl.path)], {
        env: { PATH: process.env.PATH, HOME: plane.dir, KUBECONFIG: plane.kubeconfig },
        encoding: 'utf8',
      });
      // "no" is an answer: this operator has no ServiceAccount
      const isAnswered = status === 0 || (command.includes('auth can-i') && stderr === '');
      return isAnswered ? '' : `${command}: ${stderr}`;
    });
    expect(failures.filter((failure) => failure !== '')).to.deep.equal([]);
  });

  it('VaultInjectionReviewsSlow: reviews wait for a registry that says nothing', async () => {
    const waiting = (): Promise<unknown> => {
      const app = container('app', { image: `${registry.host}/shop:${count++}` });
      delete app.command;
      delete app.args;
      return attempt(deployment('lenient', name(), [app]), '--dry-run=server');
    };
    expect(await fires('VaultInjectionReviewsSlow', waiting)).to.include({ entry: 'ignore', severity: 'warning' });
    await resolves('VaultInjectionReviewsSlow');
  });

  it('VaultInjectionConfigurationContested: somebody keeps changing the webhook configuration', async () => {
    const change = JSON.stringify([{ op: 'replace', path: '/webhooks/0/timeoutSeconds', value: 7 }]);
    const patch = ['mutatingwebhookconfiguration', 'vault-injection-operator', '--type=json', '-p', change];
    await fires('VaultInjectionConfigurationContested', () => cluster.kubectl('patch', ...patch));
    await resolves('VaultInjectionConfigurationContested');
  });

  it('VaultInjectionFailOpen, VaultInjectionReviewsFailing, VaultInjectionNoLeader: the operator is killed', async () => {
    await operator.stop('SIGKILL');
    prometheus.scrape([]);
    await cluster.apply(deployment('lenient', 'missed'));
    expect(await fires('VaultInjectionFailOpen', () => attempt(deployment('lenient', name())))).to.include({
      name: 'ignore.vaultinjection.dev',
    });
    expect(await fires('VaultInjectionReviewsFailing', () => attempt(deployment('strict', name())))).to.include({
      name: 'fail.vaultinjection.dev',
      error_type: 'calling_webhook_error',
      severity: 'critical',
    });
    await fires('VaultInjectionNoLeader');
  });

  it('VaultInjectionWorkloadsMissed: repairs are refused by a policy of the cluster', async () => {
    for (const manifest of REFUSING) await cluster.apply(manifest);
    const annotate = ['annotate', '--overwrite', 'deployment', 'missed', '-n', 'lenient'];
    const isRefused = async (): Promise<boolean> => (await plane.kubectl([...annotate, `tried=${count++}`])).code !== 0;
    await eventually('changes to be refused', async () => (await isRefused()) || undefined);
    operator = await start();
    prometheus.scrape([scrapedAt(operator)]);
    await fires('VaultInjectionWorkloadsMissed');
    for (const quiet of ['VaultInjectionFailOpen', 'VaultInjectionReviewsFailing', 'VaultInjectionNoLeader'])
      await resolves(quiet);
    await cluster.kubectl('delete', 'validatingadmissionpolicybinding', REFUSING[0].metadata.name);
    // admission injects what is changed
    await eventually('changes to be let through', async () => ((await isRefused()) ? undefined : true));
    await resolves('VaultInjectionWorkloadsMissed');
  });

  it('ask, as the dashboard does, for metrics that are there', async () => {
    // this operator has reviewed, denied and repaired
    const scrapes = [operator.health('/metrics').then(({ body }) => body), cluster.kubectl('get', '--raw', '/metrics')];
    const series = seriesIn((await Promise.all(scrapes)).join('\n'));
    for (const { alert, expr } of ALERTS)
      for (const metric of metricsIn(expr)) expect(series, `${alert} asks for ${metric}`).to.include(metric);
    for (const { title, expr } of dashboardExpressions())
      for (const metric of metricsIn(expr)) expect(series, `"${title}" asks for ${metric}`).to.include(metric);
  });

  it('VaultInjectionCertificateNotRenewed: a policy of the cluster refuses changes of its Secret', async () => {
    await operator.stop();
    // nineteen twentieths of its life have passed, and at two thirds it is to be renewed
    const current = await createAuthority(Date.now() - 0.95 * AUTHORITY_LIFE_MS);
    const data = encodeSet({ current });
    await cluster.kubectl(
      'patch',
      'secret',
      SECRET_NAME,
      '-n',
      OPERATOR.namespace,
      '--type=merge',
      '-p',
      JSON.stringify({ data }),
    );
    for (const manifest of KEEPING) await cluster.apply(manifest);
    const touch = ['label', '--overwrite', 'secret', SECRET_NAME, '-n', OPERATOR.namespace];
    const isRefused = async (): Promise<boolean> => (await plane.kubectl([...touch, `tried=${count++}`])).code !== 0;
    await eventually('changes to be refused', async () => (await isRefused()) || undefined);
    operator = await start('--certificate-wait', '1s');
    prometheus.scrape([scrapedAt(operator)]);
    expect(await fires('VaultInjectionCertificateNotRenewed')).to.include({ certificate: 'authority' });
    await cluster.kubectl('delete', 'validatingadmissionpolicybinding', KEEPING[0].metadata.name);
    await resolves('VaultInjectionCertificateNotRenewed');
  });

  it('VaultInjectionWatchStale: the API server is away', async () => {
    await plane.stopApiServer();
    expect(await fires('VaultInjectionWatchStale')).to.include({ resource: POLICIES });
    await plane.startApiServer();
    await resolves('VaultInjectionWatchStale');
  });

  it('were all of them', () => {
    expect(ALERTS.map(({ alert }) => alert).filter((alert) => !seen.has(alert))).to.deep.equal([]);
  });
});

/** The commands of the runbooks that only ask, about the example namespace where one has to be named. */
function runbookCommands(): readonly string[] {
  const folder = join(import.meta.dirname, '../../docs/runbooks');
  return readdirSync(folder)
    .flatMap((page) => readFileSync(join(folder, page), 'utf8').match(/^ *kubectl .+$/gm) ?? [])
    .map((line) => line.trim().replace('NAMESPACE', 'strict'))
    .filter((line) => /^kubectl (get|auth can-i) |--dry-run=server$/.test(line))
    .map((line) => line.replace(/ \| .*$/, ''));
}

/** Refuses every change of what `rule` names and `expression` is false for. */
function refusing(name: string, rule: object, expression: string): readonly [Binding, object] {
  return [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      spec: {
        matchConstraints: { resourceRules: [{ apiVersions: ['v1'], operations: ['UPDATE'], ...rule }] },
        validations: [{ expression, message: 'nobody changes this one' }],
      },
    },
  ];
}

interface Binding {
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

const REFUSING = refusing(
  'nobody-changes-it',
  { apiGroups: ['apps'], resources: ['deployments'] },
  "object.metadata.name != 'missed'",
);
const KEEPING = refusing(
  'nobody-renews-it',
  { apiGroups: [''], resources: ['secrets'] },
  `object.metadata.name != '${SECRET_NAME}'`,
);
