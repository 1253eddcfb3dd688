import { expect } from 'chai';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, RECORD, WRAPPER, type Live, type LiveTemplate } from './cluster.ts';
import { container, DB_PASSWORD, deployment, policy, type Workload } from './manifests.ts';

const NAMESPACE = 'shop';
const LABEL = 'vaultinjection.dev/policy';

describe('workloads on a real API server', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let operator: RunningOperator;
  let cluster: Cluster;

  before(async () => {
    plane = await startControlPlane();
    operator = await startOperator({ controlPlane: plane });
    cluster = new Cluster(plane);
    await cluster.namespace(NAMESPACE);
    await cluster.policy(policy(NAMESPACE, 'shop'));
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  /** Applies a Deployment and returns its manifest and what the API server turned it into. */
  async function injected(name: string): Promise<{ manifest: Workload; live: Live }> {
    const manifest = deployment(NAMESPACE, name);
    await cluster.apply(manifest);
    return { manifest, live: await cluster.get(NAMESPACE, name) };
  }

  /** Each change must end where a new Deployment of the changed manifest would begin. */
  async function expectAsFresh(manifest: Workload): Promise<Live> {
    const live = await cluster.get(NAMESPACE, manifest.metadata.name);
    expect(live.spec.template).to.deep.equal(await cluster.fresh(manifest));
    return live;
  }

  it('puts vault-env in front of the command, and changes nothing else about it', async () => {
    const { live } = await injected('plain');
    const [app] = live.spec.template.spec.containers;
    expect(app?.command).to.deep.equal([WRAPPER]);
    expect(app?.args).to.deep.equal(['--', '/bin/shop', 'serve', '--port=8080']);
    expect(app?.env?.map(({ name }) => name)).to.deep.equal(['PORT', 'DB_PASSWORD', 'VAULT_ENV_CONFIG']);
    expect(app?.env?.[1]).to.deep.equal(DB_PASSWORD);
    expect(app?.volumeMounts?.every(({ readOnly }) => readOnly === true)).to.equal(true);
    expect(live.spec.template.spec.initContainers?.map(({ name }) => name)).to.deep.equal(['vault-env']);
    const config = JSON.parse((app?.env?.[2]?.value ?? '').replaceAll('$$', '$')) as { vault: { address: string } };
    expect(config.vault.address).to.equal('https://vault.example.com:8200');
  });

  it('labels it, so that -l selects what the policy has injected', async () => {
    await injected('labelled');
    const quiet = deployment(NAMESPACE, 'unlabelled', [container('app', { env: [] })]);
    await cluster.apply(quiet);
    await Promise.all([replicaSets('labelled', 1), replicaSets('unlabelled', 1)]);
    for (const selector of [LABEL, `${LABEL}=shop`]) {
      const found = await cluster.kubectl('get', 'rs', '-n', NAMESPACE, '-l', selector, '-o', 'name');
      expect(found)
        .to.match(/\/labelled-/)
        .and.not.to.match(/\/unlabelled-/);
    }
  });

  it('leaves alone a label that the selector of the workload names', async () => {
    const equal = deployment(NAMESPACE, 'own-label');
    const labels = { app: 'own-label', [LABEL]: 'mine' };
    Object.assign(equal.spec, { selector: { matchLabels: labels } });
    equal.spec.template.metadata.labels = labels;
    const absent = deployment(NAMESPACE, 'no-label');
    const matchExpressions = [{ key: LABEL, operator: 'DoesNotExist' }];
    Object.assign(absent.spec, { selector: { matchLabels: { app: 'no-label' }, matchExpressions } });
    for (const manifest of [equal, absent]) {
      await cluster.apply(manifest);
      const { template } = await cluster.get(NAMESPACE, manifest.metadata.name).then(({ spec }) => spec);
      expect(template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
      expect(template.metadata.labels).to.deep.equal(manifest.spec.template.metadata.labels);
      await cluster.apply(manifest);
      expect((await cluster.get(NAMESPACE, manifest.metadata.name)).metadata.generation).to.equal(1);
    }
  });

  it('has a value for the label although the name of the policy is too long for one', async () => {
    const name = `${'long.'.repeat(40)}name`;
    await cluster.namespace('long');
    await cluster.policy(policy('long', name));
    await cluster.apply(deployment('long', 'app'));
    const { labels } = (await cluster.get('long', 'app')).spec.template.metadata;
    expect(labels?.[LABEL]).to.match(/^(long\.){10}-[0-9a-f]{12}$/);
  });

  it('increases the generation once for five applies of one manifest', async () => {
    const { manifest, live } = await injected('five');
    for (let n = 0; n < 4; n++) await cluster.apply(manifest);
    const after = await cluster.get(NAMESPACE, 'five');
    expect(after.metadata.generation).to.equal(live.metadata.generation).and.to.equal(1);
    expect(after.spec.template).to.deep.equal(live.spec.template);
  });

  const changes: [what: string, change: (manifest: Workload) => void][] = [
    ['a changed command', (manifest) => (first(manifest).command = ['/bin/other', '--fast'])],
    ['changed args', (manifest) => (first(manifest).args = ['serve', '--port=9090'])],
    ['removed args', (manifest) => delete first(manifest).args],
    ['a removed reference', (manifest) => (first(manifest).env = [{ name: 'PORT', value: '1' }])],
    ['an added container', (manifest) => manifest.spec.template.spec.containers.push(container('worker'))],
    ['a renamed container', (manifest) => (first(manifest).name = 'renamed')],
    [
      'an added label',
      (manifest) => (manifest.spec.template.metadata.labels = { app: manifest.metadata.name, more: 'x' }),
    ],
  ];
  const ways: [how: string, flags: string[]][] = [
    ['client-side apply', []],
    ['server-side apply', ['--server-side', '--field-manager=gitops', '--force-conflicts']],
  ];
  for (const [how, flags] of ways) {
    for (const [index, [what, change]] of changes.entries()) {
      it(`ends as a fresh Deployment would after ${what} by ${how}`, async () => {
        const manifest = deployment(NAMESPACE, `${flags.length === 0 ? 'client' : 'server'}-${index}`);
        await cluster.apply(manifest, ...flags);
        change(manifest);
        await cluster.apply(manifest, ...flags);
        const live = await expectAsFresh(manifest);
        expect(live.metadata.generation).to.equal(2);
        await cluster.apply(manifest, ...flags);
        expect((await cluster.get(NAMESPACE, manifest.metadata.name)).metadata.generation).to.equal(2);
      });
    }
  }

  it('has no rollout when another manager applies the same by server-side apply', async () => {
    const { manifest, live } = await injected('two-managers');
    // the first one takes kubectl's own annotation over, which raises the generation of a Deployment all by itself
    await cluster.apply(manifest, '--server-side', '--field-manager=gitops', '--force-conflicts');
    const taken = await cluster.get(NAMESPACE, 'two-managers');
    expect(taken.spec.template).to.deep.equal(live.spec.template);
    await cluster.apply(manifest, '--server-side', '--field-manager=gitops');
    const again = await cluster.get(NAMESPACE, 'two-managers');
    expect(again.spec.template).to.deep.equal(taken.spec.template);
    expect(again.metadata.generation).to.equal(taken.metadata.generation);
  });

  it('keeps the template through a scale', async () => {
    const { live } = await injected('scaled');
    await cluster.kubectl('scale', 'deployment/scaled', '-n', NAMESPACE, '--replicas=3');
    const after = await cluster.get(NAMESPACE, 'scaled');
    expect(after.spec.replicas).to.equal(3);
    expect(after.spec.template).to.deep.equal(live.spec.template);
  });

  it('adds nothing but the time to a rollout restart', async () => {
    const { live } = await injected('restarted');
    await cluster.kubectl('rollout', 'restart', 'deployment/restarted', '-n', NAMESPACE);
    const { template } = (await cluster.get(NAMESPACE, 'restarted')).spec;
    const { 'kubectl.kubernetes.io/restartedAt': time, ...annotations } = template.metadata.annotations ?? {};
    expect(time).to.be.a('string');
    expect({ ...template, metadata: { ...template.metadata, annotations } }).to.deep.equal(live.spec.template);
  });

  it('restores the former command with rollout undo, under the current rule', async () => {
    const { manifest, live } = await injected('undone');
    const template = (): Promise<LiveTemplate> => cluster.get(NAMESPACE, 'undone').then((found) => found.spec.template);
    await replicaSets('undone', 1);
    await cluster.apply(deployment(NAMESPACE, 'undone', [container('app', { command: ['/bin/bad'] })]));
    await replicaSets('undone', 2);
    await cluster.kubectl('rollout', 'undo', 'deployment/undone', '-n', NAMESPACE);
    expect(await template()).to.deep.equal(live.spec.template);
    await expectAsFresh(manifest);
  });

  async function replicaSets(name: string, count: number): Promise<void> {
    await eventually(`${count} ReplicaSets of ${name}`, async () => {
      const names = await cluster.kubectl('get', 'rs', '-n', NAMESPACE, '-l', `app=${name}`, '-o', 'name');
      return names.trim().split('\n').filter(Boolean).length === count ? true : undefined;
    });
  }

  it("ends as a fresh Deployment would after a three-way patch like Helm's", async () => {
    const { manifest } = await injected('helm');
    // Helm compares the live object with the new manifest: what the webhook changed comes back as the chart has it
    const app = { ...first(manifest), image: 'registry.example.com/shop:2', args: ['serve', '--port=7070'] };
    const template = { spec: { $setElementOrder: undefined, containers: [app] } };
    await cluster.kubectl(
      'patch',
      'deployment',
      'helm',
      '-n',
      NAMESPACE,
      '--type=strategic',
      '-p',
      JSON.stringify({ spec: { template } }),
    );
    await expectAsFresh(deployment(NAMESPACE, 'helm', [app]));
  });

  for (const [what, change] of [
    ['removed', null],
    ['damaged', '{"v":1,"containers":{"app":'],
    ['emptied', '{}'],
    [
      'forged',
      JSON.stringify({
        v: 1,
        containers: { app: { command: { was: ['/bin/evil'], hash: '00' }, args: { was: [], hash: '00' } } },
      }),
    ],
  ] as const) {
    it(`neither wraps twice nor loses the program when the record is ${what} by hand`, async () => {
      const name = `record-${what}`;
      await injected(name);
      const annotations = { [RECORD]: change, touched: 'yes' };
      const patch = JSON.stringify({ spec: { template: { metadata: { annotations } } } });
      await cluster.kubectl('patch', 'deployment', name, '-n', NAMESPACE, '--type=merge', '-p', patch);
      const { template } = (await cluster.get(NAMESPACE, name)).spec;
      const [app] = template.spec.containers;
      expect(app?.command).to.deep.equal([WRAPPER]);
      expect(app?.args).to.deep.equal(['--', '/bin/shop', 'serve', '--port=8080']);
      expect(app?.env?.filter((variable) => variable.name === 'VAULT_ENV_CONFIG')).to.have.length(1);
      expect(template.spec.initContainers).to.have.length(1);
      const { generation } = (await cluster.get(NAMESPACE, name)).metadata;
      await cluster.kubectl('label', 'deployment', name, '-n', NAMESPACE, 'again=yes');
      expect((await cluster.get(NAMESPACE, name)).metadata.generation, 'a second look finds nothing to do').to.equal(
        generation,
      );
    });
  }

  it('denies a workload whose record would not fit into its annotations', async () => {
    const huge = deployment(NAMESPACE, 'huge', [container('app', { args: ['x'.repeat(300 * 1024)] })]);
    let refusal = '';
    await cluster.apply(huge, '--server-side').catch((error: unknown) => (refusal = (error as Error).message));
    expect(refusal)
      .to.match(/annotations/i)
      .and.to.match(/262144|256 KiB/);
    expect(refusal.length, 'the refusal does not repeat the arguments').to.be.below(1000);
  });

  it('warns about what it could not do', async () => {
    const manifest = deployment(NAMESPACE, 'warned', [
      container('app', { env: [{ name: 'KEY', value: 'vault:secret/data/x' }] }),
    ]);
    manifest.metadata.annotations = { 'vaultinjection.dev/rolle': 'admin' };
    const said = await cluster.apply(manifest);
    expect(said).to.match(/Warning:.*KEY/);
    expect(said).to.match(/Warning:.*vaultinjection\.dev\/rolle/);
  });

  it('are not rolled for a label that an earlier version did not add, and get it with their next change', async () => {
    const namespace = 'unlabelled';
    await cluster.namespace(namespace);
    const spec = { failurePolicy: 'Ignore', rollout: { strategy: 'Automatic' } };
    await cluster.policy(policy(namespace, 'auto', spec));
    const manifest = deployment(namespace, 'old');
    await cluster.apply(manifest);
    await operator.stop();
    const remove = [{ op: 'remove', path: '/spec/template/metadata/labels/vaultinjection.dev~1policy' }];
    await cluster.kubectl(
      ...['patch', 'deployment', 'old', '-n', namespace, '--type=json', '-p', JSON.stringify(remove)],
    );
    const before = await cluster.templateBytes(namespace, 'old');
    expect(before).not.to.include(LABEL);
    operator = await startOperator({ controlPlane: plane });
    const { items } = JSON.parse(await cluster.kubectl('get', 'deployments', '-A', '-o', 'json')) as { items: Live[] };
    const injected = items.filter(({ spec }) => spec.template.metadata.annotations?.[RECORD] !== undefined);
    await eventually('all to be found injected, and none outdated', async () => {
      const { body } = await operator.health('/metrics');
      return body.includes(`vault_injection_workloads{state="Injected"} ${injected.length}\n`) ? true : undefined;
    });
    await cluster.apply(manifest);
    await cluster.kubectl('annotate', 'deployment', 'old', '-n', namespace, 'note=1');
    expect(await cluster.templateBytes(namespace, 'old')).to.equal(before);
    const { annotations } = (await cluster.get(namespace, 'old')).metadata;
    expect(annotations, 'nothing is asked of it').not.to.have.property('vaultinjection.dev/requested');
    await cluster.kubectl('rollout', 'restart', 'deployment/old', '-n', namespace);
    const { labels } = (await cluster.get(namespace, 'old')).spec.template.metadata;
    expect(labels).to.deep.equal({ app: 'old', [LABEL]: 'auto' });
  });

  describe('whose policy is deleted', () => {
    it('are restored byte for byte by their next update, even if it was the last policy of the namespace', async () => {
      await cluster.namespace('leaving');
      await cluster.apply(deployment('leaving', 'app'));
      const before = await cluster.templateBytes('leaving', 'app');
      await cluster.policy(policy('leaving', 'short-lived'));
      await cluster.kubectl('annotate', 'deployment', 'app', '-n', 'leaving', 'note=1');
      expect((await cluster.get('leaving', 'app')).spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);

      await cluster.kubectl('delete', 'vip', 'short-lived', '-n', 'leaving');
      await eventually('the template to be restored', async () => {
        // refused while API servers still send the namespace to the Fail entry, where nobody answers for it any more
        await plane.kubectl(['annotate', '--overwrite', 'deployment', 'app', '-n', 'leaving', `note=${Date.now()}`]);
        return (await cluster.templateBytes('leaving', 'app')) === before ? true : undefined;
      });
      await eventually(
        'the namespace to leave the webhook configuration',
        async () => {
          const configuration = await cluster.kubectl('get', 'mutatingwebhookconfigurations', '-o', 'json');
          return configuration.includes('"leaving"') ? undefined : true;
        },
        90_000,
      );
    });
  });
});

function first(manifest: Workload): Workload['spec']['template']['spec']['containers'][number] {
  const [app] = manifest.spec.template.spec.containers;
  if (app === undefined) throw new Error('the manifest has no container');
  return app;
}
