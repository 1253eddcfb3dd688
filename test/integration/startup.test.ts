/** What people see when the operator cannot start, or cannot work yet, on the real API server. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';

import { expect } from 'chai';

import type { ControlPlane } from '../support/control-plane.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { eventually, installPrerequisites, operatorProgram, startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';
import { freePorts } from '../support/ports.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Ended {
  readonly status: number | null;
  readonly stderr: string;
  readonly log: string;
}

describe('starting the operator', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  const children = new Set<ReturnType<typeof spawn>>();

  before(async function () {
    this.timeout(1_800_000);
    plane = await startControlPlane({ controllers: false });
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await plane.stop();
  });

  /** Runs it until it ends by itself. */
  async function end(flags: readonly string[]): Promise<Ended> {
    const child = spawn(process.execPath, [operatorProgram(), ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    let [stderr, log] = ['', ''];
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    children.delete(child);
    return { status, stderr, log };
  }

  async function flagsWith(ports: { webhook?: number; health?: number } = {}): Promise<string[]> {
    const [webhook = 0, health = 0] = await freePorts(2);
    const port = ports.webhook ?? webhook;
    return [
      ...['--kubeconfig', plane.kubeconfig, '--webhook-url', `https://127.0.0.1:${port}`],
      ...[
        '--webhook-port',
        String(port),
        '--health-host',
        '127.0.0.1',
        '--health-port',
        String(ports.health ?? health),
      ],
      ...['--injector-image', 'localhost/vault-env:test', '--drain', '0s'],
    ];
  }

  describe('with a port that another process uses', () => {
    let other: Server;
    let taken: number;
    before(async () => {
      await installPrerequisites(plane);
      other = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => other.once('listening', resolve));
      taken = (other.address() as AddressInfo).port;
    });
    after(() => other.close());

    it('ends with status 1 and names the webhook’s port', async () => {
      const { status, stderr } = await end(await flagsWith({ webhook: taken }));
      expect(stderr).to.match(/^the webhook server could not be started: cannot listen on 127\.0\.0\.1, port \d+: /);
      expect(stderr).to.contain('choose another --webhook-port').and.contain('EADDRINUSE');
      expect(status).to.equal(1);
    });

    it('ends with status 1 and names the health server’s port, before it has written anything', async () => {
      const { status, stderr, log } = await end(await flagsWith({ health: taken }));
      expect(stderr).to.match(/^the health server could not be started: .*--health-port/);
      expect(status).to.equal(1);
      expect(log).not.to.contain('certificate');
    });
  });

  describe('with a kubeconfig', () => {
    const broken: readonly [string, string | undefined, RegExp][] = [
      ['that does not exist', undefined, /none\.yaml/],
      ['that is no YAML', '{', /wrong\.yaml/],
      ['without a cluster', 'apiVersion: v1\nkind: Config\n', /wrong\.yaml|context|cluster/],
    ];
    for (const [what, content, message] of broken) {
      it(`${what}, it ends with status 2 and says which file`, async () => {
        const file = join(plane.dir, content === undefined ? 'none.yaml' : 'wrong.yaml');
        if (content !== undefined) writeFileSync(file, content);
        const { status, stderr } = await end(['--kubeconfig', file]);
        expect(stderr)
          .to.match(message)
          .and.not.match(/\n {4}at /);
        expect(status).to.equal(2);
      });
    }
  });

  describe('in a cluster', function () {
    this.timeout(120_000);
    let operator: RunningOperator;
    afterEach(async () => {
      await operator.stop();
      expect(operator.exitCode()).to.equal(0);
    });

    it('without the CRD, it says what to install, keeps running, and works once it is there', async () => {
      await plane.kubectlOk(['delete', 'crd', '--all']);
      operator = await startOperator({ controlPlane: plane, prepare: false });
      await eventually(
        'the hint',
        () => operator.log().includes('install the CRD, kubectl apply -f crds/') || undefined,
      );
      expect((await operator.health('/livez')).status).to.equal(200);
      const ready = await operator.health('/readyz');
      expect([ready.status, ready.body]).to.deep.equal([503, ready.body]);
      expect(ready.body).to.contain('[-] policies: not all of them are loaded yet');
      await installPrerequisites(plane);
      await eventually(
        'it to be ready',
        async () => (await operator.health('/readyz')).status === 200 || undefined,
        60_000,
      );
      expect(errors()).to.have.length(1);
    });

    /** The messages of what it logged as an error: what somebody has to do. */
    const errors = (): string[] =>
      operator
        .log()
        .split('\n')
        .filter((line) => line.includes('"level":"error"'))
        .map((line) => (JSON.parse(line) as { msg: string }).msg);
    const ready = (): Promise<unknown> =>
      eventually('it to be ready', async () => (await operator.health('/readyz')).status === 200 || undefined, 60_000);

    it('without its namespace, it says once how to create it, keeps running, and works once it is there', async () => {
      await installPrerequisites(plane);
      // else it would be a second installation
      const left = ['mutatingwebhookconfiguration', 'vault-injection-operator', '--ignore-not-found'];
      await plane.kubectlOk(['delete', ...left]);
      operator = await startOperator({ controlPlane: plane, prepare: false, flags: ['--namespace', 'elsewhere'] });
      const named = (): string[] =>
        errors().filter((message) => message.includes('namespace elsewhere does not exist'));
      await eventually('the hint', () => named().length > 0 || undefined);
      expect(named()[0]).to.contain('kubectl create namespace elsewhere');
      expect((await operator.health('/livez')).status).to.equal(200);
      expect((await operator.health('/readyz')).body).to.contain('[-] certificate:');
      await plane.kubectlOk(['create', 'namespace', 'elsewhere']);
      await ready();
      expect(errors()).to.have.length(1);
      expect(operator.log()).to.match(/works again/);
    });

    it('ends by itself at a signal while it waits for a certificate, although it watches workloads already', async () => {
      await installPrerequisites(plane);
      operator = await startOperator({ controlPlane: plane, prepare: false, flags: ['--namespace', 'nowhere'] });
      await eventually('it to watch workloads', () =>
        /"resource":"vaultinjectionpolicies".*"msg":"synced"/.test(operator.log()) ? true : undefined,
      );
      expect((await operator.health('/readyz')).body).to.contain('[-] webhook: not listening yet');
      await operator.terminate();
      expect(operator.log()).to.contain('"msg":"stopped"');
      expect(operator.exitCode()).to.equal(0);
    });

    it('without any rights, it says once for each what grants it, keeps running, and works once they are granted', async () => {
      await installPrerequisites(plane);
      await plane.kubectlOk(['delete', '-k', join(ROOT, 'config/rbac'), '--ignore-not-found']);
      const [name, namespace] = ['vault-injection-operator', 'vault-injection-system'];
      await plane.kubectlOk(['create', 'serviceaccount', name, '-n', namespace]);
      const token = await plane.kubectlOk(['create', 'token', name, '-n', namespace]);
      operator = await startOperator({
        controlPlane: {
          kubeconfig: plane.kubeconfigWithToken('bare', token.trim()),
          kubectlOk: (args, stdin) => plane.kubectlOk(args, stdin),
        },
        prepare: false,
      });
      const own = `in its namespace ${namespace}`;
      const lacks = (what: string): true | undefined =>
        errors().some((message) =>
          message.startsWith(`the operator lacks rights on ${what}: kubectl apply -k config/rbac`),
        )
          ? true
          : undefined;
      // It looks for nodes, and writes its configuration, only once it has what comes before.
      for (const what of ['vaultinjectionpolicies.vaultinjection.dev', `secrets ${own}`])
        await eventually(`the hint about ${what}`, () => lacks(what));
      expect((await operator.health('/livez')).status).to.equal(200);
      await plane.kubectlOk(['apply', '-k', join(ROOT, 'config/rbac')]);
      await ready();
      expect(new Set(errors()).size, errors().join('\n')).to.equal(errors().length);
    });

    it('that forbids the certificate’s Secret, it says what it may not do, keeps running, and works once it may', async () => {
      await installPrerequisites(plane);
      await plane.kubectlOk(['apply', '-k', join(ROOT, 'config/rbac')]);
      await plane.kubectlOk(['create', 'clusterrolebinding', 'probe', '--clusterrole=view', '--user=probe']);
      await plane.kubectlOk([
        ...['create', 'clusterrole', 'probe-policies', '--verb=get,list,watch,patch'],
        '--resource=vaultinjectionpolicies.vaultinjection.dev,vaultinjectionpolicies.vaultinjection.dev/status',
      ]);
      await plane.kubectlOk([
        ...['create', 'clusterrolebinding', 'probe-policies', '--clusterrole=probe-policies', '--user=probe'],
      ]);
      await plane.kubectlOk(['delete', 'secret', '-n', 'vault-injection-system', '--all']);
      operator = await startOperator({
        controlPlane: {
          kubeconfig: await plane.kubeconfigOf('probe'),
          kubectlOk: (args, stdin) => plane.kubectlOk(args, stdin),
        },
        prepare: false,
      });
      await eventually('the reason', () => /secrets.*403 Forbidden/.test(operator.log()) || undefined);
      expect((await operator.health('/livez')).status).to.equal(200);
      expect((await operator.health('/readyz')).body).to.contain('[-] certificate:');
      await plane.kubectlOk([
        'create',
        'clusterrolebinding',
        'probe-all',
        '--clusterrole=cluster-admin',
        '--user=probe',
      ]);
      await eventually(
        'it to be ready',
        async () => (await operator.health('/readyz')).status === 200 || undefined,
        90_000,
      );
    });
  });
});
