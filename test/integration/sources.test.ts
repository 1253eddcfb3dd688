import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { Registry as Register } from 'prom-client';
import { parseAllDocuments } from 'yaml';
import { systemClock } from '../../kube/clock.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import { shortHash } from '../../core/hash.ts';
import type { SourceRef } from '../../core/injection/sources.ts';
import { sourceName } from '../../core/injection/sources.ts';
import { createSourceMetrics } from '../../webhook/sources/metrics.ts';
import { sourceReader } from '../../webhook/sources/source-reader.ts';
import { Sources } from '../../webhook/sources/sources.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { defaultConfig } from '../support/kubernetes-versions.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { startStallingProxy, type StallingProxy } from '../support/stalling-proxy.ts';
import { testLog } from '../support/test-log.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { container, deployment, policy, type Workload } from './manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const ACCOUNT = ['vault-injection-operator', '-n', 'vault-injection-system'];
// a key of the objects, which no manifest names
const DB = `=${shortHash('DB')}`;
const REFERENCE = 'vault:secret/data/shop/db#password';

/** Role and RoleBinding of the guide, so that it is what people apply that is tested. */
function manifestsOfGuide(): { kind: string; metadata: object }[] {
  const guide = readFileSync(join(ROOT, 'docs/guides/references-elsewhere.md'), 'utf8');
  return [...guide.matchAll(/```yaml\n([^]*?)```/g)]
    .flatMap(([, yaml = '']) => parseAllDocuments(yaml))
    .map((document) => document.toJS() as { kind: string; metadata: object });
}

describe('environment from ConfigMaps and Secrets on a real API server', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let proxy: StallingProxy;
  let kubeconfig: string;
  let operator: RunningOperator;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    cluster = new Cluster(plane);
    // As the ServiceAccount that the manifests make: what it may not read, it does not read here.
    await plane.kubectlOk(['apply', '-k', defaultConfig()]);
    const token = (await plane.kubectlOk(['create', 'token', ...ACCOUNT, '--duration=1h'])).trim();
    kubeconfig = plane.kubeconfigWithToken('operator', token);
    proxy = await startStallingProxy(plane, kubeconfig);
    const flags = ['--source-timeout', '1s', '--source-interval', '1s'];
    operator = await startOperator({ controlPlane: { ...plane, kubeconfig }, flags });
    for (const [namespace, failurePolicy] of [
      ['shop', 'Fail'],
      ['lenient', 'Ignore'],
    ] as const) {
      await cluster.namespace(namespace);
      const inject = { sources: { secrets: 'Read' } };
      await cluster.policy(policy(namespace, 'shop', { failurePolicy, inject }));
    }
  });
  after(async () => {
    await operator.stop();
    await proxy.stop();
    await plane.stop();
  });

  /** A Deployment whose container has nothing but what these fields give it. */
  function workload(namespace: string, name: string, fields: object): Workload {
    const app = container('app', fields);
    if (!('env' in fields)) delete app.env;
    return deployment(namespace, name, [app]);
  }
  const fromConfigMap = (name: string, fields: object = {}): object => ({
    envFrom: [{ configMapRef: { name, ...fields } }],
  });
  const fromSecret = (name: string, key = 'DB'): object => ({
    env: [{ name: 'DB', valueFrom: { secretKeyRef: { name, key } } }],
  });
  const create = (kind: 'configmap' | 'secret', namespace: string, name: string, value: string): Promise<string> =>
    cluster.kubectl(
      'create',
      ...(kind === 'secret' ? ['secret', 'generic'] : [kind]),
      name,
      '-n',
      namespace,
      `--from-literal=DB=${value}`,
    );
  const setTo = (namespace: string, name: string, value: string): Promise<string> =>
    cluster.kubectl(
      'patch',
      'configmap',
      name,
      '-n',
      namespace,
      '--type=merge',
      '-p',
      JSON.stringify({ data: { DB: value } }),
    );

  async function isWrapped(namespace: string, name: string): Promise<boolean> {
    const { spec } = await cluster.get(namespace, name);
    return spec.template.spec.containers[0]?.command?.[0] === WRAPPER;
  }
  const refusal = (applied: Promise<string>): Promise<string> =>
    applied.then(
      () => 'it was admitted',
      (error: unknown) => (error as Error).message,
    );

  describe('of a ConfigMap', () => {
    it('that holds a reference is injected, with a prefix or without', async () => {
      await create('configmap', 'shop', 'held', REFERENCE);
      await cluster.apply(workload('shop', 'held', fromConfigMap('held')));
      const env = [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'held', key: 'DB' } } }];
      await cluster.apply(workload('shop', 'one-key', { env }));
      await cluster.apply(
        workload('shop', 'prefixed', { envFrom: [{ prefix: 'P_', configMapRef: { name: 'held' } }] }),
      );
      for (const name of ['held', 'one-key', 'prefixed']) expect(await isWrapped('shop', name), name).to.equal(true);
    });

    it('that holds none is left alone, as is one whose reference is covered', async () => {
      await create('configmap', 'shop', 'plain', 'postgres://db');
      expect(await cluster.apply(workload('shop', 'plain', fromConfigMap('plain')))).not.to.contain('Warning');
      const covered = { ...fromConfigMap('held'), env: [{ name: 'DB', value: 'x' }] };
      await cluster.apply(workload('shop', 'covered', covered));
      for (const name of ['plain', 'covered']) expect(await isWrapped('shop', name), name).to.equal(false);
    });

    it('is read when the workload is applied', async () => {
      await create('configmap', 'shop', 'changing', 'plain');
      await cluster.apply(workload('shop', 'changing', fromConfigMap('changing')));
      await setTo('shop', 'changing', REFERENCE);
      const again = workload('shop', 'changing', fromConfigMap('changing'));
      let round = 1;
      // two reviews within a second share one reading
      await eventually('the second reading', async () => {
        again.metadata.annotations = { round: String(++round) };
        await cluster.apply(again);
        return (await isWrapped('shop', 'changing')) ? true : undefined;
      });
    });

    it('that does not exist is reported, unless it is optional', async () => {
      const said = await cluster.apply(workload('shop', 'early', fromConfigMap('late')));
      expect(said).to.contain(
        'Warning: container app: ConfigMap late does not exist yet; the operator looks for references when it does',
      );
      const optional = await cluster.apply(workload('shop', 'optional', fromConfigMap('late', { optional: true })));
      expect(optional).not.to.contain('Warning');
    });

    it('that holds a malformed reference is reported, by its name', async () => {
      await create('configmap', 'shop', 'malformed', 'vault:secret/data/shop');
      const said = await cluster.apply(workload('shop', 'malformed', fromConfigMap('malformed')));
      expect(said).to.contain('Warning: container app, a variable from ConfigMap malformed: there is no "#"');
    });
  });

  describe('of a Secret', () => {
    const advice = 'a Role must allow the operator to get it: docs/guides/references-elsewhere.md';
    before(async () => {
      for (const namespace of ['shop', 'lenient']) await create('secret', namespace, 'shop-env', REFERENCE);
    });

    it('that the operator may not read keeps the workload out, with what to do', async () => {
      const said = await refusal(cluster.apply(workload('shop', 'closed', fromSecret('shop-env'))));
      expect(said).to.contain(`container app has env from Secret shop-env, which cannot be read: ${advice}`);
    });

    it('that the operator may not read leaves it alone if the policy ignores failures', async () => {
      const said = await cluster.apply(workload('lenient', 'closed', fromSecret('shop-env')));
      expect(said).to.contain(
        'Warning: not injected: container app has env from Secret shop-env, which cannot be read',
      );
      expect(said).to.contain(`Warning: Secret shop-env: ${advice}`);
      expect(await isWrapped('lenient', 'closed')).to.equal(false);
    });

    it('is read once the Role of the guide allows it, and no other is', async () => {
      for (const object of manifestsOfGuide()) if (object.kind !== 'VaultInjectionPolicy') await cluster.apply(object);
      // the authorizer of the API server and what is remembered of the refusal each take their time
      await eventually('the workload to be admitted', async () =>
        (await refusal(cluster.apply(workload('shop', 'open', fromSecret('shop-env'))))) === 'it was admitted'
          ? true
          : undefined,
      );
      expect(await isWrapped('shop', 'open')).to.equal(true);
      await create('secret', 'shop', 'other', REFERENCE);
      expect(await refusal(cluster.apply(workload('shop', 'other', fromSecret('other'))))).to.contain(advice);
    });

    it('that lacks the key is reported', async () => {
      const said = await cluster.apply(workload('shop', 'no-key', fromSecret('shop-env', 'NONE')));
      expect(said).to.contain('Warning: container app: the key for DB in Secret shop-env does not exist yet');
    });

    it('never reaches the log', () => {
      expect(operator.log()).not.to.contain('secret/data/shop');
    });
  });

  describe('while the API server is slow', () => {
    afterEach(() => proxy.stall(''));

    it('is answered by the deadline, with the reason', async () => {
      await create('configmap', 'shop', 'slow', REFERENCE);
      await create('configmap', 'lenient', 'slow', REFERENCE);
      proxy.stall('/configmaps/slow');
      const why = 'the API server did not answer within 1 s; try again';
      expect(await refusal(cluster.apply(workload('shop', 'slow', fromConfigMap('slow'))))).to.contain(why);
      expect(await cluster.apply(workload('lenient', 'slow', fromConfigMap('slow')))).to.contain(why);
      proxy.stall('');
      await eventually('the workload to be admitted', async () =>
        (await refusal(cluster.apply(workload('shop', 'slow', fromConfigMap('slow'))))) === 'it was admitted'
          ? true
          : undefined,
      );
      expect(await isWrapped('shop', 'slow')).to.equal(true);
    });

    it('counts as it was last known', async () => {
      const app = workload('shop', 'held', fromConfigMap('held'));
      app.metadata.annotations = { round: '2' };
      proxy.stall('/configmaps/held');
      await cluster.apply(app);
      expect(await isWrapped('shop', 'held')).to.equal(true);
    });
  });

  describe('that nobody applies again', () => {
    const becomesWrapped = (namespace: string, name: string): Promise<true> =>
      eventually(`${name} to be injected`, async () => ((await isWrapped(namespace, name)) ? true : undefined), 30_000);

    it('is injected when its ConfigMap gets a reference', async () => {
      await cluster.apply(workload('shop', 'unaware', fromConfigMap('plain')));
      expect(await isWrapped('shop', 'unaware')).to.equal(false);
      await setTo('shop', 'plain', REFERENCE);
      await becomesWrapped('shop', 'unaware');
    });

    it('is injected when the ConfigMap that it waits for exists', async () => {
      await create('configmap', 'shop', 'late', REFERENCE);
      await becomesWrapped('shop', 'early');
      await becomesWrapped('shop', 'optional');
    });

    it('is injected when the operator may read its Secret', async () => {
      for (const object of manifestsOfGuide()) {
        if (object.kind === 'VaultInjectionPolicy') continue;
        await cluster.apply({ ...object, metadata: { ...object.metadata, namespace: 'lenient' } });
      }
      await becomesWrapped('lenient', 'closed');
    });
  });

  describe('that somebody edits who may edit no workloads', () => {
    const permitted = async (name: string): Promise<unknown> => {
      const { spec } = await cluster.get('edited', name);
      const variable = spec.template.spec.containers[0]?.env?.find((one) => one.name === 'VAULT_ENV_CONFIG');
      return (JSON.parse(variable?.value ?? '{}') as { references?: unknown }).references;
    };

    it('permits nothing new, even if rollouts are automatic, until somebody restarts the workload', async () => {
      await cluster.namespace('edited');
      await cluster.policy(policy('edited', 'shop', { rollout: { strategy: 'Automatic' } }));
      for (const name of ['first', 'second'])
        await create('configmap', 'edited', name, name === 'first' ? REFERENCE : '');
      for (const name of ['first', 'second']) await cluster.apply(workload('edited', name, fromConfigMap(name)));
      expect(await isWrapped('edited', 'first')).to.equal(true);
      const before = await permitted('first');
      expect(before).to.have.nested.property(`paths.${DB}`).with.length(1);
      const { generation } = (await cluster.get('edited', 'first')).metadata;
      await setTo('edited', 'first', 'vault:secret/data/other/db#password');
      // so that the operator had the time for both
      await setTo('edited', 'second', REFERENCE);
      await eventually('the other one to be injected', async () =>
        (await isWrapped('edited', 'second')) ? true : undefined,
      );
      expect(await permitted('first')).to.deep.equal(before);
      expect((await cluster.get('edited', 'first')).metadata.generation).to.equal(generation);
      await cluster.kubectl('rollout', 'restart', 'deployment/first', '-n', 'edited');
      expect(await permitted('first'))
        .to.have.nested.property(`paths.${DB}`)
        .with.length(1)
        .and.not.deep.equal((before as { paths: Record<string, unknown> }).paths[DB]);
    });
  });

  describe('in use', () => {
    let sources: Sources;
    let changes: string[];
    const app: SourceRef = { kind: 'ConfigMap', name: 'watched' };
    const secret: SourceRef = { kind: 'Secret', name: 'shop-env' };
    const answer = (ref: SourceRef): unknown => sources.known('shop', { objects: [ref] })?.(ref);

    before(() => {
      const kubeConfig = loadKubeConfig({ file: kubeconfig, context: '' });
      const client = new ApiClient({ kubeConfig, userAgent: 'test' });
      changes = [];
      sources = new Sources({
        client,
        read: sourceReader(client),
        clock: systemClock,
        random: Math.random,
        logger: testLog().logger,
        metrics: createSourceMetrics(new Register()),
        rereadMs: 1_000,
      });
      sources.onChange((namespace, ref) => changes.push(`${namespace} ${sourceName(ref)}`));
      sources.start();
    });
    after(() => sources.stop());

    it('is noticed when it is created, changed and deleted', async () => {
      await sources.find('shop', { objects: [app] }, 5_000);
      sources.watch('shop', [app]);
      expect(answer(app)).to.deep.equal({ missing: true });
      const becomes = async (change: Promise<string>, expected: object): Promise<void> => {
        await change;
        await eventually(JSON.stringify(expected), () =>
          JSON.stringify(answer(app)) === JSON.stringify(expected) ? true : undefined,
        );
        expect(changes.splice(0)).to.deep.equal(['shop ConfigMap watched']);
      };
      await becomes(create('configmap', 'shop', 'watched', 'plain'), { data: { DB: '' } });
      await becomes(setTo('shop', 'watched', REFERENCE), { data: { DB: REFERENCE } });
      await becomes(cluster.kubectl('delete', 'configmap', 'watched', '-n', 'shop'), { missing: true });
    });

    it('is noticed when it changes even as a Secret, which may not be watched', async () => {
      await sources.find('shop', { objects: [secret] }, 5_000);
      sources.watch('shop', [secret]);
      const data = JSON.stringify({ stringData: { DB: 'plain' } });
      await cluster.kubectl('patch', 'secret', 'shop-env', '-n', 'shop', '--type=merge', '-p', data);
      await eventually('the change', () => (changes.length > 0 ? true : undefined));
      expect([changes, answer(secret)]).to.deep.equal([['shop Secret shop-env'], { data: { DB: '' } }]);
    });
  });
});
