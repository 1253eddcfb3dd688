import { expect } from 'chai';

import { installWithKubectl } from '../demo/install-operator.ts';
import { lookAt, whatIsInTheWay } from '../demo/look-at-cluster.ts';
import { run, type Run } from '../demo/programs.ts';
import { removeDemo, SYSTEM } from '../demo/remove.ts';
import { TrialCluster } from '../demo/trial-cluster.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';

const KINDS = [
  ...['namespaces', 'customresourcedefinitions', 'clusterroles', 'clusterrolebindings'],
  ...['validatingadmissionpolicies', 'validatingadmissionpolicybindings'],
  ...['mutatingadmissionpolicies', 'mutatingadmissionpolicybindings'],
].join(',');

/** Without helm, on a real API server. There is no node, so nothing waits for pods; test/e2e/demo-at-hand.ts has some, and helm. */
describe('make demo without helm', function () {
  this.timeout(BUILDING_MS);
  let plane: ControlPlane;
  let cluster: TrialCluster;
  let untouched: string;

  before(async () => {
    plane = await startControlPlane();
    const { kubectl } = await ensureTools(['kubectl']);
    const withoutHelm: Run = (program, args, ...others) =>
      program === 'helm' || args.includes('rollout')
        ? Promise.resolve({ stdout: '', stderr: '', code: program === 'helm' ? undefined : 0 })
        : run(program, ['--kubeconfig', plane.kubeconfig, ...args], ...others);
    cluster = new TrialCluster(withoutHelm, kubectl.path, 'local');
    untouched = await all();
  });
  after(() => (plane as ControlPlane | undefined)?.stop());

  const all = (): Promise<string> => plane.kubectlOk(['get', KINDS, '-o', 'name']);

  it('applies config/default with its label, and takes away all of it', async () => {
    await cluster.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM } }]);
    await installWithKubectl(
      cluster,
      { operator: 'localhost/operator:demo', vaultEnv: 'localhost/vault-env:demo' },
      true,
    );
    const unlabelled = await plane.kubectlOk(['get', KINDS, '-l', '!vaultinjection.dev/demo', '-o', 'name']);
    expect(unlabelled).to.equal(untouched);
    const image = '-o=jsonpath={.items[*].spec.template.spec.containers[*].image}';
    expect(await plane.kubectlOk(['get', 'deployments', '-n', SYSTEM, image])).to.equal('localhost/operator:demo');
    await removeDemo(cluster, () => undefined);
    expect(await all()).to.equal(untouched);
  });

  it('sees an operator that somebody else has installed', async () => {
    const deployment = {
      ...{
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'vault-injection-operator', namespace: 'default' },
      },
      spec: {
        replicas: 0,
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
      },
    };
    await plane.kubectlOk(['apply', '-f', '-'], JSON.stringify(deployment));
    const seen = await lookAt(cluster);
    expect(seen).to.include({ hasOperator: true, hasCrd: false }).and.deep.include({ taken: [], ofDemo: [] });
    expect(whatIsInTheWay({ ...seen, architectures: ['amd64'] }, 'local')).to.contain('The operator is in the cluster');
  });
});
