/**
 * What the API server that runs here has and lacks, and what the operator and the command check say of it. `make test` runs
 * this on the pinned version, `make test-versions` on the older ones.
 */
import { join } from 'node:path';

import { expect } from 'chai';

import { systemClock } from '../../kube/clock.ts';
import { run } from '../../operator/check/command.ts';
import { lackingLines } from '../../core/kubernetes-versions.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { changesIn, chosenMinor, has } from '../support/kubernetes-versions.ts';
import { installPrerequisites, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER, type Live } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const CRD = ['crd', 'vaultinjectionpolicies.vaultinjection.dev'];

describe('this version of Kubernetes', function () {
  this.timeout(180_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;
  let version: string;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    ({ gitVersion: version } = JSON.parse(await cluster.kubectl('get', '--raw', '/version')) as { gitVersion: string });
    await installPrerequisites(plane);
    operator = await startOperator({ controlPlane: plane });
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop'));
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  const messages = (field: string): readonly unknown[] =>
    operator
      .log()
      .split('\n')
      .filter((line) => line.includes(`"${field}":`))
      .map((line) => (JSON.parse(line) as Record<string, unknown>)[field]);

  it('is the one that was asked for', () => {
    const minor = chosenMinor();
    if (minor === undefined) expect(lackingLines(version)).to.deep.equal([]);
    else expect(version).to.match(new RegExp(`^v1\\.${minor}\\.\\d+$`));
  });

  it('is in the log, with what it lacks', () => {
    const missing = lackingLines(version);
    expect(messages('missing')).to.deep.equal(missing.length === 0 ? [] : [missing]);
    expect(operator.log()).not.to.contain('too old');
  });

  it('is told by check, with what it lacks, and is no failure', async () => {
    let stdout = '';
    await run(['--kubeconfig', plane.kubeconfig, '-o', 'json'], {
      env: {},
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: () => true },
      clock: systemClock,
      // far more than a slow machine needs
      bounds: { call: 60_000, dryRun: 60_000, check: 150_000 },
    });
    const { checks } = JSON.parse(stdout) as { checks: { check: string; level: string; message: string }[] };
    const [answers, ...more] = checks.filter(({ check }) => check === 'kubernetes-api');
    expect(answers).to.deep.include({ level: 'Ok', message: `Kubernetes ${version} answers at ${plane.server}` });
    expect(more).to.deep.equal(
      lackingLines(version).map((message) => ({ check: 'kubernetes-api', level: 'Ok', message })),
    );
    expect(checks.filter(({ check }) => check === 'crd').map(({ level }) => level)).to.deep.equal(['Ok']);
  });

  it('keeps the conditions of the webhook, and injects', async () => {
    const path = '{.webhooks[*].matchConditions[*].name}';
    const names = await cluster.kubectl(
      ...['get', 'mutatingwebhookconfiguration', 'vault-injection-operator', '-o', `jsonpath=${path}`],
    );
    expect(names.split(' ')).to.include('is-the-probe').and.have.length.above(2);
    await cluster.apply(deployment('shop', 'web'));
    expect((await cluster.get('shop', 'web')).spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
  });

  it('drops the selectable fields of the CRD, or keeps them', async () => {
    const fields = await cluster.kubectl(
      'get',
      ...CRD,
      '-o',
      'jsonpath={.spec.versions[0].selectableFields[*].jsonPath}',
    );
    expect(fields).to.equal(has('selectableFields') ? '.spec.vault.auth.role' : '');
  });

  it('refuses to select policies by role without them', async () => {
    const { code, stderr } = await plane.kubectl(['get', 'vip', '-A', '--field-selector', 'spec.vault.auth.role=shop']);
    if (has('selectableFields')) expect({ code, stderr }).to.include({ code: 0 });
    else expect({ code, stderr }).to.have.property('stderr').that.contains('field label not supported');
  });

  it('has no difference to the CRD that was applied', async () => {
    const file = join(ROOT, 'crds/vaultinjectionpolicies.yaml');
    const { stdout } = await plane.kubectl(['diff', '--server-side', '-f', file]);
    expect(changesIn(stdout)).to.deep.equal([]);
  });

  it('knows MutatingAdmissionPolicy, or config/marks is refused', async () => {
    const { code, stderr } = await plane.kubectl(['apply', '--dry-run=server', '-k', join(ROOT, 'config/marks')]);
    if (has('mutatingAdmissionPolicies')) expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    else expect(stderr).to.contain('no matches for kind "MutatingAdmissionPolicy"');
  });

  it('keeps the image volume that a policy asks for, or has an init container instead, which the policy says', async () => {
    await cluster.namespace('volumes');
    await cluster.policy(policy('volumes', 'volumes', { injector: { delivery: 'ImageVolume' } }));
    await cluster.apply(deployment('volumes', 'web'));
    const { volumes, initContainers = [] } = (await cluster.get('volumes', 'web')).spec.template.spec;
    const path = 'jsonpath={.status.injector.message}';
    const message = await cluster.kubectl('get', 'vip', 'volumes', '-n', 'volumes', '-o', path);
    if (has('imageVolumes')) {
      expect(JSON.stringify(volumes)).to.contain('"image":{"');
      expect(initContainers).to.deep.equal([]);
      expect(message).to.equal('spec.injector.delivery is ImageVolume');
    } else {
      expect(JSON.stringify(volumes)).to.contain('"emptyDir":{"medium":"Memory"').and.not.contain('"image":{"');
      expect(initContainers.map(({ name }) => name)).to.deep.equal(['vault-env']);
      expect(message).to.equal(
        `spec.injector.delivery is ImageVolume, but Kubernetes ${version} may not have image volumes, which are on since 1.35`,
      );
    }
  });

  it('drops an image volume where it has none, and admits the workload', async function () {
    if (has('imageVolumes')) this.skip();
    const image = { reference: 'example/image:1', pullPolicy: 'IfNotPresent' };
    const manifest = deployment('shop', 'by-hand');
    Object.assign(manifest.spec.template.spec, { volumes: [{ name: 'tools', image }] });
    const args = ['create', '--dry-run=server', '--validate=false', '-o', 'json', '-f', '-'];
    const stdout = await plane.kubectlOk(args, JSON.stringify(manifest));
    const { volumes = [] } = (JSON.parse(stdout) as Live).spec.template.spec;
    const tools = volumes.find(({ name }) => name === 'tools');
    // 1.30 does not know the field, the others have turned it off and drop the whole volume
    expect(tools).to.deep.equal(chosenMinor() === 30 ? { name: 'tools', emptyDir: {} } : undefined);
  });
});
