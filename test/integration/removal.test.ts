/**
 * Removing an installation in each way that people do: what the webhook refused before is admitted afterwards. The
 * operator runs with the rights of config/rbac, beside the controller manager, whose garbage collector does its part.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { installDefault } from '../support/installed.ts';
import { defaultConfig } from '../support/kubernetes-versions.ts';
import { eventually as within, startOperator, type RunningOperator } from '../support/operator.ts';
import { runUninstall } from '../support/uninstall.ts';
import { OPERATOR } from '../support/vault.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAME = OPERATOR.name;
const SYSTEM = OPERATOR.namespace;
const CONFIGURATION = ['mutatingwebhookconfiguration', NAME];

interface Stored {
  readonly metadata: { readonly uid: string; readonly ownerReferences?: readonly { readonly uid: string }[] };
}

// Garbage collectors take their time: usually a second, but half a minute when they have to learn of a CRD first.
const PATIENCE_MS = 120_000;

function eventually<T>(what: string, probe: () => Promise<T | undefined> | T | undefined): Promise<T> {
  return within(what, probe, PATIENCE_MS);
}

describe('removing the operator', function () {
  this.timeout(600_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let kubeconfig: string;
  const replicas: RunningOperator[] = [];
  let count = 0;

  before(async function () {
    this.timeout(BUILDING_MS);
    // as OpenShift has it: who changes an owner has to have the right to delete the object
    plane = await startControlPlane({
      apiServerArgs: ['--enable-admission-plugins=OwnerReferencesPermissionEnforcement'],
    });
    cluster = new Cluster(plane);
    await cluster.namespace('shop');
  });
  after(async () => {
    await stopReplicas('SIGKILL');
    await plane.stop();
  });

  async function stopReplicas(signal?: NodeJS.Signals): Promise<void> {
    for (const replica of replicas.splice(0)) await replica.stop(signal);
  }

  /**
   * As it is half a minute after replicas were killed: their Leases have expired. Without this, the next replica waits
   * until it may lead.
   */
  async function letLeasesExpire(): Promise<void> {
    await plane.kubectlOk(['delete', 'leases', '--all', '-n', SYSTEM, '--ignore-not-found']);
  }

  /** config/default, with replicas that run here, and a policy with Fail in the namespace shop that is Ready. */
  async function install(howMany = 1): Promise<void> {
    await stopReplicas('SIGKILL');
    await letLeasesExpire();
    kubeconfig = await installDefault(plane, `operator-${(count += 1)}`);
    for (let index = 0; index < howMany; index += 1) await startReplica();
    // the CRD may have been installed just now
    await eventually('the policy', async () =>
      cluster.apply(policy('shop', 'shop', { failurePolicy: 'Fail' })).catch(() => undefined),
    );
    await isInForce();
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
  }

  async function startReplica(): Promise<void> {
    const kubectlOk = (args: readonly string[], stdin?: string): Promise<string> => plane.kubectlOk(args, stdin);
    const controlPlane = { kubeconfig, kubectlOk };
    // all listen on one port for the Service: a replica that is not the first answers no review here
    const [first] = replicas;
    const more = first === undefined ? [] : ['--webhook-service-port', String(first.webhookPort)];
    replicas.push(await startOperator({ controlPlane, service: NAME, flags: ['--certificate-wait', '1s', ...more] }));
  }

  const configuration = async (): Promise<Stored | undefined> => {
    const { code, stdout } = await plane.kubectl(['get', ...CONFIGURATION, '-o', 'json']);
    return code === 0 ? (JSON.parse(stdout) as Stored) : undefined;
  };
  const uidOfRole = (): Promise<string> =>
    plane.kubectlOk(['get', 'clusterrole', NAME, '-o', 'jsonpath={.metadata.uid}']);
  const isOwned = (): Promise<true> =>
    eventually('the ClusterRole to own the configuration', async () => {
      const owners = (await configuration())?.metadata.ownerReferences ?? [];
      return owners.length === 1 && owners[0]?.uid === (await uidOfRole()) ? true : undefined;
    });
  /** Status and configuration may be of the installation before: not so the port of the replica. */
  const isInForce = (): Promise<true> =>
    eventually('the Fail entry to lead to the replica', async () => {
      const port = '{.webhooks[?(@.name=="fail.vaultinjection.dev")].clientConfig.service.port}';
      const { stdout } = await plane.kubectl(['get', ...CONFIGURATION, '-o', `jsonpath=${port}`]);
      return stdout === String(replicas[0]?.webhookPort) ? true : undefined;
    });
  const isGone = (): Promise<true> =>
    eventually('the configuration to be gone', async () => ((await configuration()) === undefined ? true : undefined));
  /** What the API server says to a new Deployment in the namespace with the Fail policy. */
  const refusal = async (): Promise<string | undefined> => {
    const { code, stderr } = await plane.kubectl(
      ['create', '-f', '-'],
      JSON.stringify(deployment('shop', `web-${(count += 1)}`)),
    );
    return code === 0 ? undefined : stderr;
  };
  /** API servers follow a configuration a moment after it is gone. */
  const isAdmitted = (): Promise<true> =>
    eventually('a Deployment to be admitted', async () => ((await refusal()) === undefined ? true : undefined));

  /** With the rights of the operator. */
  const uninstall = (...flags: string[]) => runUninstall(kubeconfig, ...flags);

  describe('the ClusterRole', () => {
    before(() => install());

    it('owns the webhook configuration, and nothing waits for it', async () => {
      await isOwned();
      const owners = await plane.kubectlOk(['get', ...CONFIGURATION, '-o', 'jsonpath={.metadata.ownerReferences}']);
      expect(JSON.parse(owners)).to.deep.equal([
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRole',
          name: NAME,
          uid: await uidOfRole(),
          blockOwnerDeletion: false,
        },
      ]);
    });

    it('is added by an upgrade to a configuration without an owner', async () => {
      await plane.kubectlOk([
        'patch',
        ...CONFIGURATION,
        '--type=json',
        '-p',
        '[{"op":"remove","path":"/metadata/ownerReferences"}]',
      ]);
      await isOwned();
    });

    it('may be created again while the operator runs: the configuration follows it', async () => {
      const before = await uidOfRole();
      await plane.kubectlOk(['delete', 'clusterrole', NAME]);
      await plane.kubectlOk(['apply', '--server-side', '-k', join(ROOT, 'config/rbac')]);
      expect(await uidOfRole()).not.to.equal(before);
      await isOwned();
      await cluster.policyIs('shop', 'shop', 'Ready', 'True');
    });

    it('may be created again while it does not run: the garbage collector removes, and the operator writes again', async () => {
      await stopReplicas('SIGKILL');
      await plane.kubectlOk(['delete', 'clusterrole', NAME]);
      await plane.kubectlOk(['apply', '--server-side', '-k', join(ROOT, 'config/rbac')]);
      await isGone();
      await letLeasesExpire();
      await startReplica();
      await isOwned();
      await isInForce();
    });

    it('is another one after a restore from a backup: the reference to the earlier one does no lasting harm', async () => {
      const uid = '5d7f7d4e-0000-4000-8000-000000000000';
      const patch = [{ op: 'replace', path: '/metadata/ownerReferences/0/uid', value: uid }];
      await plane.kubectlOk(['patch', ...CONFIGURATION, '--type=json', '-p', JSON.stringify(patch)]);
      await isOwned();
      await cluster.policyIs('shop', 'shop', 'Ready', 'True');
    });

    it('takes the configuration with it, although the operator still runs', async () => {
      await isAdmitted();
      await plane.kubectlOk(['delete', 'clusterrole', NAME]);
      await isGone();
      await isAdmitted();
    });
  });

  describe('by uninstall, as the chart does before it removes anything', () => {
    before(() => install(2));

    it('removes the configuration, and replicas that run do not write it again', async () => {
      await isAdmitted();
      const { status, output } = await uninstall();
      expect({ status, output }).to.deep.equal({
        status: 0,
        output: `removed the MutatingWebhookConfiguration ${NAME}\n`,
      });
      for (const replica of replicas)
        await eventually('each replica to know', () => replica.log().includes('is being uninstalled') || undefined);
      await cluster.policyIs('shop', 'shop', 'Ready', 'False');
      const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}';
      expect(await cluster.kubectl('get', 'vip', 'shop', '-n', 'shop', '-o', ready)).to.equal('Uninstalling');
      // a reason to write it
      await cluster.namespace('bank');
      await cluster.apply(policy('bank', 'bank', { failurePolicy: 'Fail' }));
      for (let look = 0; look < 30; look += 1) {
        expect(await configuration()).to.equal(undefined);
        await sleep(100);
      }
      await isAdmitted();
    });

    it('may be run again', async () => {
      expect(await uninstall()).to.deep.equal({
        status: 0,
        output: `there is no MutatingWebhookConfiguration ${NAME}\n`,
      });
    });

    it('is taken back by the command in the log', async () => {
      const [, secret = '', namespace = ''] =
        /kubectl annotate secret (\S+) -n (\S+) vaultinjection\.dev\/uninstalling-/.exec(replicas[0]?.log() ?? '') ??
        [];
      await plane.kubectlOk(['annotate', 'secret', secret, '-n', namespace, 'vaultinjection.dev/uninstalling-']);
      await isOwned();
    });

    it('gives workloads their templates back with --restore', async () => {
      await plane.kubectlOk(['delete', 'deployments', '--all', '-n', 'shop']);
      await cluster.policyIs('shop', 'shop', 'Ready', 'True');
      const meant = deployment('shop', 'web').spec.template.spec.containers[0];
      await eventually('it to be injected', async () => {
        if ((await plane.kubectl(['get', 'deployment', 'web', '-n', 'shop'])).code !== 0)
          await cluster.apply(deployment('shop', 'web')).catch(() => undefined);
        const { spec } = await cluster.get('shop', 'web');
        return spec.template.spec.containers[0]?.command?.[0] === WRAPPER ? true : undefined;
      });
      const { status, output } = await uninstall('--restore');
      expect({ status, output }).to.deep.equal({
        status: 0,
        output:
          'restoring 1 workloads, 5 in a second\nrestored 1 of 1, 0 left\n' +
          `removed the MutatingWebhookConfiguration ${NAME}\n`,
      });
      const { spec, metadata } = await cluster.get('shop', 'web');
      expect(spec.template.spec.containers[0]).to.include({ image: meant?.image });
      expect(spec.template.spec.containers[0]?.command).to.deep.equal(meant?.command);
      expect(spec.template.spec.containers[0]?.args).to.deep.equal(meant?.args);
      expect(spec.template.metadata.annotations).to.equal(undefined);
      expect(spec.template.spec.volumes).to.equal(undefined);
      const left = Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith('vaultinjection.dev/'));
      expect(left).to.deep.equal([]);
    });

    it('says what is left, and removes nothing, where no replica restores', async () => {
      await plane.kubectlOk([
        'annotate',
        'secret',
        `${NAME}-webhook`,
        '-n',
        SYSTEM,
        'vaultinjection.dev/uninstalling-',
      ]);
      await isOwned();
      await plane.kubectlOk(['delete', 'deployments', '--all', '-n', 'shop']);
      await eventually('an injected workload', async () => {
        await cluster.apply(deployment('shop', 'web')).catch(() => undefined);
        const text = (await plane.kubectl(['get', 'deployment', 'web', '-n', 'shop', '-o', 'yaml'])).stdout;
        return text.includes('VAULT_ENV_CONFIG') ? true : undefined;
      });
      await stopReplicas('SIGKILL');
      const { status, output } = await uninstall('--restore', '--rate=100');
      expect(status).to.equal(1);
      expect(output).to.match(/\nleft: shop\/web \(Deployment\): .*\nnothing was removed: run it again/);
      expect(await configuration()).not.to.equal(undefined);
      expect((await uninstall()).status).to.equal(0);
      await isAdmitted();
    });

    it('is forgotten by what is installed afterwards', async () => {
      await plane.kubectlOk(['delete', '-k', join(ROOT, 'config/rbac')]);
      await install();
      await isOwned();
    });
  });

  describe('by kubectl delete -k config/default', () => {
    before(() => install());

    it('leaves no webhook configuration behind', async () => {
      await isAdmitted();
      await plane.kubectlOk(['delete', '-k', defaultConfig(), '--ignore-not-found']);
      await isGone();
      await isAdmitted();
    });
  });

  describe('by deleting its namespace alone', () => {
    it('removes the webhook configuration while it still can', async () => {
      await install(2);
      await isAdmitted();
      await plane.kubectlOk(['delete', 'namespace', SYSTEM]);
      await isGone();
      await isAdmitted();
      expect(replicas.map((replica) => replica.log()).join('\n')).to.contain(
        'the namespace of the operator is being deleted',
      );
    });

    it('leaves it behind if no replica runs: then one command admits again', async () => {
      await install();
      await isAdmitted();
      await stopReplicas('SIGKILL');
      await plane.kubectlOk(['delete', 'namespace', SYSTEM]);
      expect(await refusal()).to.contain('failed calling webhook "fail.vaultinjection.dev"');
      await plane.kubectlOk(['delete', 'mutatingwebhookconfiguration', NAME]);
      await isAdmitted();
    });
  });
});
