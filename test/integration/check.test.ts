/** The command `check` and what the log says, on the real API server: an empty cluster, an installation, and one with faults. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { expect } from 'chai';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { levelsOfApi } from '../support/kubernetes-versions.ts';
import {
  eventually,
  installPrerequisites,
  operatorProgram,
  startOperator,
  type RunningOperator,
} from '../support/operator.ts';
import { systemClock } from '../../kube/clock.ts';
import { run } from '../../operator/check/command.ts';
import { VERSION } from '../../operator/version.ts';
import { freePorts } from '../support/ports.ts';
import { Cluster } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAMESPACE = 'vault-injection-system';
const ACCOUNT = `system:serviceaccount:${NAMESPACE}:vault-injection-operator`;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('check', function () {
  this.timeout(180_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator | undefined;
  let deadPort: number;

  before(async function () {
    this.timeout(1_800_000);
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    [deadPort = 0] = await freePorts(1);
  });
  after(async () => {
    await operator?.stop();
    await plane.stop();
  });

  function end(...args: readonly string[]): Promise<Ended> {
    const child = spawn(process.execPath, [operatorProgram(), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })));
  }

  /** The command in this process: starting one takes seconds on a busy machine. */
  async function check(...args: readonly string[]): Promise<Omit<Ended, 'stderr'>> {
    let stdout = '';
    const status = await run(['--kubeconfig', plane.kubeconfig, ...args], {
      env: {},
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: () => true },
      clock: systemClock,
      // far more than a slow machine needs
      bounds: { call: 60_000, dryRun: 60_000, check: 150_000 },
    });
    return { status, stdout };
  }

  /** The checks by name, each with its levels. */
  async function levels(...args: readonly string[]): Promise<{ status: number | null; of: Record<string, string> }> {
    const { status, stdout } = await check('-o', 'json', ...args);
    const { checks } = JSON.parse(stdout) as { checks: { check: string; level: string }[] };
    const of: Record<string, string> = {};
    for (const { check: name, level } of checks) of[name] = of[name] === undefined ? level : `${of[name]} ${level}`;
    return { status, of };
  }

  it('says in an empty cluster what to install, and leaves out what that decides', async () => {
    const { status, stdout } = await check();
    expect(stdout)
      .to.match(/^√ kubernetes-api: Kubernetes v1\.\d+\.\d+ answers at https:/)
      .and.contain('× crd: the CRD vaultinjectionpolicies.vaultinjection.dev is not installed\n    hint: kubectl apply')
      .and.contain(
        `× namespace: the operator's namespace ${NAMESPACE} does not exist\n    hint: kubectl apply -k config/default`,
      )
      .and.contain(`× rights: ${ACCOUNT} may not get vaultinjectionpolicies.vaultinjection.dev, list `)
      .and.contain('- webhook-reached: not looked at, because namespace has failed')
      .and.match(/\nStatus: × 3 failed, 4 skipped\n$/);
    expect(status).to.equal(1);
  });

  it('refuses wrong usage, and says what to write', async () => {
    for (const [args, message] of [
      [['--kubeconfig', '/nope'], 'cannot use the kubeconfig /nope'],
      [['-o', 'yaml'], '--output: "yaml" is not allowed; write text or json'],
      [['-o'], '-o: write a value after it'],
      [['--service-account', 'A'], '--service-account: write the name of a ServiceAccount'],
      [['--namespac', 'x'], 'Did you mean --namespace?'],
    ] as const) {
      const refusal: unknown = await check(...args).catch((error: unknown) => error);
      expect(refusal).to.be.instanceOf(Error);
      expect((refusal as Error).message).to.contain(message);
    }
    expect((await check('-h')).stdout).to.contain('webhook-reached');
  });

  it('is a command of the executable, beside --version', async function () {
    // three starts from the sources, of some seconds each on a machine that does nothing else
    this.timeout(900_000);
    const misspelt = await end('chek');
    expect(misspelt).to.deep.equal({
      status: 2,
      stdout: '',
      stderr: 'there is no command "chek"; did you mean check?\n',
    });
    expect(await end('--version')).to.deep.equal({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
    const { status, stdout } = await end('check', '-o', 'json', '--kubeconfig', plane.kubeconfig);
    expect(JSON.parse(stdout)).to.deep.include({ version: VERSION, ok: false });
    expect(status).to.equal(1);
  });

  it('says how the API server answers to credentials that it does not know, and asks nothing more', async () => {
    const file = plane.kubeconfigWithToken('nobody', 'x');
    const { status, stdout } = await check('--kubeconfig', file);
    expect(stdout).to.contain('× kubernetes-api: GET /version: 401');
    expect(stdout).to.contain('- vaults: not looked at, because kubernetes-api has failed');
    expect(status).to.equal(1);
  });

  describe('of an installation', () => {
    const flags = (): string[] => ['--webhook-url', operator?.webhookUrl ?? '', '--vault-check-hosts', '127.0.0.1'];

    before(async () => {
      await installPrerequisites(plane);
      await plane.kubectlOk(['apply', '-k', join(ROOT, 'config/rbac')]);
      operator = await startOperator({ controlPlane: plane, flags: ['--log-format', 'text'] });
      await cluster.namespace('shop');
      await cluster.apply(
        policy('shop', 'shop', { vault: { address: `https://127.0.0.1:${deadPort}`, auth: { role: 'shop' } } }),
      );
      await cluster.policyIs('shop', 'shop', 'Ready', 'True');
      await cluster.policyIs('shop', 'shop', 'VaultReachable', 'False');
    });

    it('finds all well but a Vault that does not answer', async () => {
      const { status, stdout } = await check(...flags());
      expect(stdout)
        .to.contain('√ crd: the CRD vaultinjectionpolicies.vaultinjection.dev has all that this version uses')
        .and.match(/√ rights: \S+ has all \d+ rights that the operator uses/)
        .and.match(/√ webhook-configuration: the CA of the webhook is valid until \d{4}-/)
        .and.contain(`leads to ${operator?.webhookUrl}`)
        .and.match(/√ webhook-reached: the API server reaches the webhook; a dry run was reviewed by \S+/)
        .and.contain('√ policies: 1 policy, all in force or suspended')
        .and.contain(`× vaults: cannot connect to 127.0.0.1:${deadPort} (ECONNREFUSED) (shop/shop)`)
        .and.match(/\nStatus: × 1 failed\n$/);
      expect(status).to.equal(1);
    });

    it('has stored nothing: neither the probe nor anything else', async () => {
      const found = await cluster.kubectl('get', 'configmaps', '-n', NAMESPACE, '-o', 'name');
      expect(found).not.to.contain('probe');
    });

    it('asks for the rights of the ServiceAccount where the operator runs in the cluster', async () => {
      const { of } = await levels();
      // by the Service, of which this operator knows nothing
      expect(of).to.include({ rights: 'Ok', 'webhook-configuration': 'Ok Failed', vaults: 'Failed' });
      await plane.kubectlOk(['delete', 'rolebinding', 'vault-injection-operator', '-n', NAMESPACE]);
      const { status, stdout } = await check();
      expect(stdout).to.contain(`× rights: ${ACCOUNT} may not create secrets "vault-injection-operator-webhook"`);
      expect(status).to.equal(1);
      await plane.kubectlOk(['apply', '-k', join(ROOT, 'config/rbac')]);
    });

    it('as the ServiceAccount needs no right that the operator has not', async () => {
      await plane.kubectlOk(['apply', '-f', join(ROOT, 'config/operator/service-account.yaml')]);
      const token = await plane.kubectlOk(['create', 'token', 'vault-injection-operator', '-n', NAMESPACE]);
      const file = plane.kubeconfigWithToken('operator', token.trim());
      const { of } = await levels('--kubeconfig', file, ...flags());
      expect(of).to.deep.equal({
        'kubernetes-api': levelsOfApi(),
        crd: 'Ok',
        namespace: 'Ok',
        rights: 'Ok',
        'webhook-configuration': 'Ok Ok',
        'webhook-reached': 'Ok',
        policies: 'Ok',
        vaults: 'Failed',
      });
    });

    it('says of somebody with few rights what could not be looked at', async () => {
      await plane.kubectlOk(['create', 'clusterrolebinding', 'viewer', '--clusterrole=view', '--user=viewer']);
      const { of } = await levels('--kubeconfig', await plane.kubeconfigOf('viewer'));
      expect(of).to.include({
        'kubernetes-api': levelsOfApi(),
        crd: 'Ok',
        rights: 'Warning',
        'webhook-reached': 'Warning',
      });
    });

    it('says which fields an old CRD lacks', async () => {
      const crd = JSON.parse(
        await cluster.kubectl('get', 'crd', 'vaultinjectionpolicies.vaultinjection.dev', '-o', 'json'),
      ) as {
        spec: { versions: { schema: { openAPIV3Schema: { properties: { spec: { properties: object } } } } }[] };
      };
      const properties = crd.spec.versions[0]?.schema.openAPIV3Schema.properties.spec.properties ?? {};
      Reflect.deleteProperty(properties, 'rotation');
      await cluster.apply(crd, '--server-side', '--force-conflicts');
      // what API servers publish follows the CRD
      await eventually(
        'the old schema to be published',
        async () => ((await check(...flags())).stdout.includes('it lacks spec.rotation') ? true : undefined),
        60_000,
      );
      await installPrerequisites(plane);
    });

    it('says that the webhook is not reached where nobody listens, with what to do', async () => {
      await operator?.stop();
      const { status, stdout } = await check(...flags());
      expect(stdout).to.match(
        /× webhook-reached: the API server says: Post .*connection refused; nothing listens at that/,
      );
      expect(status).to.equal(1);
    });
  });

  describe('the log', () => {
    it('begins with what the operator runs as, where, and with which settings', () => {
      const [first = ''] = (operator?.log() ?? '').split('\n');
      expect(first)
        .to.match(
          /^\S+Z INFO {2}starting version=\d+\.\d+\.\d+ kubernetes=(v1\.\d+\.\d+|"unknown: GET \/version: [^"]+") namespace=vault-injection-system /,
        )
        .and.contain(`webhook=${operator?.webhookUrl} injectorImage=localhost/vault-env:test settings={`)
        .and.contain('"logFormat":"text"')
        .and.not.contain('"namespace"');
    });

    it('warns of a Vault that does not answer, with the words of the condition', () => {
      expect(operator?.log()).to.match(/ WARN {2}the status of the policy changed policy=shop\/shop .*ECONNREFUSED/);
    });
  });
});

describe('decisions in the log', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;
  before(async function () {
    this.timeout(1_800_000);
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    operator = await startOperator({ controlPlane: plane });
    await cluster.namespace('shop');
    await cluster.apply(policy('shop', 'shop', { environment: { allowedPaths: ['secret/data/shop/*'] } }));
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  const lines = (message: string): Record<string, unknown>[] =>
    operator
      .log()
      .split('\n')
      .filter((line) => line.includes(`"msg":"${message}"`))
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('are an injection, a denial and a restore, without what they are about', async () => {
    await cluster.fresh(deployment('shop', 'web'));
    await cluster.apply(deployment('shop', 'web'));
    const about = { namespace: 'shop', kind: 'Deployment', name: 'web' };
    await eventually('the injection', () => (lines('injected').length > 0 ? true : undefined));
    expect(lines('injected')).to.have.length(1);
    expect(lines('injected')[0]).to.deep.include({
      ...about,
      level: 'info',
      policy: 'shop',
      operation: 'CREATE',
      containers: ['app'],
    });

    await cluster.kubectl('annotate', 'deployment', 'web', '-n', 'shop', 'vaultinjection.dev/inject=false');
    await eventually('the restore', () => (lines('restored').length > 0 ? true : undefined));
    expect(lines('restored')[0]).to.deep.include({ ...about, level: 'info', operation: 'UPDATE' });
    expect(operator.log()).not.to.contain('secret/data/shop/db');
  });
});
