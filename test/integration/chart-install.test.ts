/** The chart on a real API server, by Helm 3 and Helm 4, beside an operator that writes what is its own. */
import { join } from 'node:path';

import { expect } from 'chai';

import { mark } from '../../core/marks.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type CommandResult, type ControlPlane } from '../support/control-plane.ts';
import { CHART, NAMESPACE, openHelm, RELEASE } from '../support/helm.ts';
import type { Helm, HelmVersion, Values } from '../support/helm.ts';
import { chosenMinor, defaultConfig } from '../support/kubernetes-versions.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { policy } from './manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const IN = ['-n', NAMESPACE];
const SECRET = ['secret', 'vault-injection-operator-webhook', ...IN];
const CONFIGURATION = ['mutatingwebhookconfiguration', 'vault-injection-operator'];
const LABEL = 'app.kubernetes.io/name=vault-injection-operator';
const CRD = ['crd', 'vaultinjectionpolicies.vaultinjection.dev'];

/** The operator of these tests is called by URL, which config/guard has to know of. No node runs the hook. */
const VALUES: Values = {
  serviceAccount: { annotations: { 'vaultinjection.dev/webhook-url': 'https://127.0.0.1:' } },
  uninstall: { enabled: false },
  autoscaled: true,
};

describe('the chart on an API server', function () {
  this.timeout(180_000);
  let plane: ControlPlane;
  const helms: Partial<Record<HelmVersion, Helm>> = {};
  let operator: RunningOperator | undefined;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    for (const version of ['helm3', 'helm4'] as const) helms[version] = await openHelm(version, plane.kubeconfig);
    // with the labels of Pod Security, which warns of pods that are not "restricted"
    await plane.kubectlOk(['apply', '-f', join(ROOT, 'config/operator/namespace.yaml')]);
    await plane.kubectlOk(['create', 'namespace', 'shop']);
  });
  after(async () => {
    await operator?.stop();
    for (const helm of Object.values(helms)) helm.close();
    await plane.stop();
  });

  const helm = (version: HelmVersion, args: readonly string[], values: Values = VALUES): Promise<CommandResult> => {
    const opened = helms[version];
    if (opened === undefined) throw new Error(`${version} is not there`);
    return opened.run(args, values);
  };
  const install = (version: HelmVersion): Promise<CommandResult> =>
    helm(version, ['install', RELEASE, CHART, ...IN, '-f', '-']);
  const upgrade = (version: HelmVersion, values: Values): Promise<CommandResult> =>
    helm(version, ['upgrade', RELEASE, CHART, ...IN, '-f', '-'], { ...VALUES, ...values });
  const uninstall = (version: HelmVersion): Promise<CommandResult> => helm(version, ['uninstall', RELEASE, ...IN]);
  const get = (args: readonly string[], path: string): Promise<string> =>
    plane.kubectlOk(['get', ...args, '-o', `jsonpath={${path}}`]);

  /** Starts the operator with the rights that the chart gives its account, and waits until it has written everything. */
  async function operate(): Promise<void> {
    const token = (await plane.kubectlOk(['create', 'token', RELEASE, ...IN, '--duration=1h'])).trim();
    const flags = ['--certificate-wait', '1s'];
    operator = await startOperator({
      controlPlane: {
        kubeconfig: plane.kubeconfigWithToken('operator', token),
        kubectlOk: (args, stdin) => plane.kubectlOk(args, stdin),
      },
      prepare: false,
      flags,
    });
    await plane.kubectlOk(['apply', '-f', '-'], JSON.stringify(policy('shop', 'shop')));
    await plane.kubectlOk(['wait', 'vip/shop', '-n', 'shop', '--for=condition=Programmed', '--timeout=60s']);
  }

  /** Has the operator replace its authority, and waits until nothing of the one before is left. */
  async function rotate(): Promise<void> {
    const before = await get(SECRET, '.data.ca\\.crt');
    const value = `after ${await get(SECRET, '.metadata.resourceVersion')}`;
    await plane.kubectlOk(['annotate', ...SECRET, '--overwrite', `${mark.renew}=${value}`]);
    await eventually(
      'the authority to be another',
      async () => {
        const { metadata, data } = JSON.parse(await plane.kubectlOk(['get', ...SECRET, '-o', 'json'])) as Stored;
        const isOver = metadata.annotations[mark.renewed] === value && data['ca.crt'] !== before;
        return isOver && data['next-ca.crt'] === undefined && data['previous-ca.crt'] === undefined ? true : undefined;
      },
      120_000,
    );
  }

  /** What tells whether somebody has replaced what the operator wrote. */
  const written = (): Promise<readonly string[]> =>
    Promise.all([
      get(CONFIGURATION, '.metadata.uid'),
      get(CONFIGURATION, '.webhooks[*].clientConfig'),
      get(SECRET, '.metadata.uid'),
      get(SECRET, '.data.ca\\.crt'),
    ]);

  const routes: readonly (readonly [from: HelmVersion, to: HelmVersion])[] = [
    ['helm3', 'helm3'],
    ['helm3', 'helm4'],
    ['helm4', 'helm4'],
  ];
  for (const [from, to] of routes)
    describe(`installed by ${from} and upgraded by ${to}`, () => {
      it('is accepted without a warning', async () => {
        const { code, stderr } = await install(from);
        expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      });

      it('gives the operator all rights that it needs to begin', async () => {
        await operate();
        expect(operator?.log()).not.to.match(/forbidden|403/i);
      });

      it('is upgraded after a rotation and after something has scaled it: no conflict, and what they wrote stays', async () => {
        await rotate();
        await plane.kubectlOk(['scale', 'deployment', RELEASE, ...IN, '--replicas=5']);
        const before = await written();
        const { code, stderr } = await upgrade(to, { settings: { logLevel: 'debug' }, podLabels: { changed: 'yes' } });
        expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
        expect(await written()).to.deep.equal(before);
        expect(await get(['deployment', RELEASE, ...IN], '.spec.replicas')).to.equal('5');
        expect(await get(['deployment', RELEASE, ...IN], '.spec.template.metadata.labels.changed')).to.equal('yes');
      });

      it('is the same again when nothing has changed', async () => {
        const generation = (): Promise<string> => get(['deployment', RELEASE, ...IN], '.metadata.generation');
        const before = await generation();
        const { code } = await upgrade(to, { settings: { logLevel: 'debug' }, podLabels: { changed: 'yes' } });
        expect({ code, generation: await generation() }).to.deep.equal({ code: 0, generation: before });
      });

      it('is removed, but for the CRD and its policies', async () => {
        await operator?.terminate();
        operator = undefined;
        const { code, stderr } = await uninstall(to);
        expect({ code, stderr }).to.include({ code: 0 });
        const left = await plane.kubectlOk(['get', 'all,sa,cm,role,rolebinding,netpol,pdb', ...IN, '-o', 'name']);
        expect(left.split('\n').filter((name) => name.includes('vault-injection'))).to.deep.equal([]);
        expect(await get(['vip', 'shop', '-n', 'shop'], '.metadata.name')).to.equal('shop');
        await plane.kubectlOk(['delete', 'vip', 'shop', '-n', 'shop']);
        // what the operator wrote, which the hook would have removed
        await plane.kubectlOk(['delete', ...CONFIGURATION]);
        await plane.kubectlOk(['delete', ...SECRET]);
      });
    });

  // in a block of their own, because mocha runs the blocks of a level after its tests
  describe('then', () => {
    it('is installed beside a CRD that was left, and takes it along if it is told to', async () => {
      expect((await install('helm4')).code).to.equal(0);
      expect((await upgrade('helm4', { crds: { keep: false } })).code).to.equal(0);
      expect((await uninstall('helm4')).code).to.equal(0);
      await plane.kubectlOk(['wait', '--for=delete', CRD.join('/'), '--timeout=60s']);
    });

    it('waits for the Job of the removal before it deletes anything, and removes the Job', async () => {
      expect((await helm('helm4', ['install', RELEASE, CHART, ...IN, '-f', '-'], {})).code).to.equal(0);
      const removal = helm('helm4', ['uninstall', RELEASE, ...IN], {});
      const job = ['job', `${RELEASE}-uninstall`, ...IN];
      await eventually('the Job', async () => (await plane.kubectl(['get', ...job])).code === 0 || undefined);
      expect(await get(job, '.spec.template.spec.containers[0].args')).to.equal('["uninstall"]');
      expect(await get(['deployment', RELEASE, ...IN], '.metadata.name')).to.equal(RELEASE);
      // as the controller of Jobs would, if there were one
      const at = '2026-01-01T00:00:00Z';
      // 1.30 refuses the first one for such a Job, later ones want it
      const types = chosenMinor() === 30 ? ['Complete'] : ['SuccessCriteriaMet', 'Complete'];
      const conditions = types.map((type) => ({ type, status: 'True', lastTransitionTime: at }));
      const status = { startTime: at, completionTime: at, succeeded: 1, conditions };
      const patch = JSON.stringify({ status });
      await plane.kubectlOk(['patch', ...job, '--subresource=status', '--type=merge', '-p', patch]);
      const { code, stderr } = await removal;
      expect(code, stderr).to.equal(0);
      expect((await plane.kubectl(['get', ...job])).code).to.equal(1);
      expect((await plane.kubectl(['get', 'deployment', RELEASE, ...IN])).code).to.equal(1);
    });

    for (const [version, ...force] of [['helm3'], ['helm4', '--force-conflicts']] as const)
      it(`takes over what kubectl apply -k has installed: ${version}`, async () => {
        await plane.kubectlOk(['apply', '-k', defaultConfig()]);
        const uid = await get(['deployment', RELEASE, ...IN], '.metadata.uid');
        const take = ['install', RELEASE, CHART, ...IN, '--take-ownership', ...force, '-f', '-'];
        const { code, stderr } = await helm(version, take);
        expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
        expect(await get(['deployment', RELEASE, ...IN], '.metadata.uid')).to.equal(uid);
        // as upgrade.md says
        await plane.kubectlOk(['delete', 'configmap', ...IN, '-l', `${LABEL},app.kubernetes.io/managed-by!=Helm`]);
        const settings = await plane.kubectlOk(['get', 'configmap', ...IN, '-l', LABEL, '-o', 'name']);
        expect(settings.trim()).to.equal(`configmap/${RELEASE}-settings`);
        expect((await uninstall(version)).code).to.equal(0);
      });

    it('says what to do next', async () => {
      const image = { registry: '' };
      const values = { webhook: { port: 9443 }, uninstall: { enabled: false }, replicas: 1, image };
      const { stdout, stderr } = await helm('helm4', ['install', RELEASE, CHART, ...IN, '-f', '-'], values);
      expect(stderr).to.equal('');
      for (const text of [
        `kubectl rollout status deployment/${RELEASE} -n ${NAMESPACE}`,
        'private clusters let it reach 443 and 10250 alone',
        '--allow tcp:9443',
        `helm uninstall ${RELEASE} -n ${NAMESPACE}`,
        'kubectl delete mutatingwebhookconfiguration vault-injection-operator',
        'NOTE: image.registry is empty',
        'NOTE: with one replica',
      ])
        expect(stdout).to.contain(text);
      expect((await uninstall('helm4')).code).to.equal(0);
    });
  });
});

interface Stored {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly data: Readonly<Record<string, string>>;
}
