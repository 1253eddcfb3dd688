import { expect } from 'chai';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster } from './cluster.ts';
import { container, deployment, policy } from './manifests.ts';

const NAMESPACE = 'shop';
const POD = '/spec/template/spec';

describe('JSON patches of an injected workload', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let operator: RunningOperator;
  let cluster: Cluster;

  before(async () => {
    plane = await startControlPlane();
    operator = await startOperator({ controlPlane: plane });
    cluster = new Cluster(plane);
    await cluster.namespace(NAMESPACE);
    await cluster.policy(policy(NAMESPACE, 'shop', { failurePolicy: 'Ignore' }));
    const manifest = deployment(NAMESPACE, 'ms', [container('ms', { command: ['/ms'], args: ['--a=1', '--b=2'] })]);
    const migrate = { name: 'migrate', image: 'registry.example.com/migrate:1', command: ['/migrate'] };
    Object.assign(manifest.spec.template.spec, { initContainers: [migrate] });
    await cluster.apply(manifest);
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  const patch = (op: object): ReturnType<ControlPlane['kubectl']> =>
    plane.kubectl(['patch', 'deployment', 'ms', '-n', NAMESPACE, '--type=json', '-p', JSON.stringify([op])]);

  for (const [path, value] of [
    ['containers/0/args/0', '--a=2'],
    ['containers/0/args/1', '--b=3'],
    ['initContainers/0/image', 'registry.example.com/migrate:2'],
  ] as const)
    it(`${path}: refused, and the workload stays as it was`, async () => {
      const before = await cluster.get(NAMESPACE, 'ms');
      const { code, stderr } = await patch({ op: 'replace', path: `${POD}/${path}`, value });
      expect(code).to.not.equal(0);
      expect(stderr).to.match(/EditedByPosition|positions differ from those of the manifest/);
      expect((await cluster.get(NAMESPACE, 'ms')).spec).to.deep.equal(before.spec);
    });

  it('add args/-: taken', async () => {
    expect(await patch({ op: 'add', path: `${POD}/containers/0/args/-`, value: '--c=3' })).to.include({ code: 0 });
    const { args } = (await cluster.get(NAMESPACE, 'ms')).spec.template.spec.containers[0] ?? {};
    expect(args).to.deep.equal(['--', '/ms', '--a=1', '--b=2', '--c=3']);
  });

  it('the image of a container: taken', async () => {
    const image = 'registry.example.com/shop:2';
    expect(await patch({ op: 'replace', path: `${POD}/containers/0/image`, value: image })).to.include({ code: 0 });
    expect((await cluster.get(NAMESPACE, 'ms')).spec.template.spec.containers[0]?.image).to.equal(image);
  });
});
