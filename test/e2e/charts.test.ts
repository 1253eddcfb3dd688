import { expect } from 'chai';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Cluster } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { skipWithoutNode } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import { startStage, type Stage } from '../support/stage.ts';
import { writeSecret } from '../support/vault.ts';
import { ENTRY_POINTS, importStandIns } from './chart-images.ts';
import {
  containersOf,
  expectedContainer,
  forThisNode,
  isWorkload,
  keyOf,
  nextOf,
  readChart,
  resolvedVariables,
  secretsOf,
  upgraded,
  withoutAdditions,
  wrappedIn,
  type Json,
  type KubernetesObject,
  type Template,
  type Workload,
} from './charts.ts';

/**
 * Eight charts as people render them. All of them are admitted as they are, and all of them run on the kubelet: under the
 * names of their images, which cannot be had here, it finds one that stands in for them (chart-images.ts).
 */

const NAMESPACE = 'shop';
/** Without a policy. */
const PLAIN = 'plain';

/** What is said about exec probes and hooks of a wrapped container if the policy leaves them alone. */
const seesText = (container: string, fields: string): string =>
  `container ${container}: set inject.probes true, or ${fields} see the references' text`;

interface Chart {
  readonly labels: Record<string, string>;
  readonly spec?: Json;
  /** Containers that refer to Vault, by workload. */
  readonly wrapped: Readonly<Record<string, readonly string[]>>;
  /** What kubectl apply prints about it. */
  readonly warnings?: readonly string[];
}

const IMAGE_VOLUME = { injector: { delivery: 'ImageVolume' } };

const CHARTS: Readonly<Record<string, Chart>> = {
  postgresql: {
    labels: { 'app.kubernetes.io/instance': 'orders' },
    wrapped: { 'StatefulSet/orders-postgresql': ['postgresql', 'metrics'] },
    warnings: [seesText('postgresql', 'livenessProbe, readinessProbe, preStop')],
  },
  redis: {
    labels: { 'app.kubernetes.io/instance': 'cache' },
    spec: { ...IMAGE_VOLUME, inject: { probes: true } },
    wrapped: { 'StatefulSet/cache-redis-master': ['redis', 'metrics'] },
  },
  keycloak: {
    labels: { 'app.kubernetes.io/name': 'keycloak' },
    wrapped: { 'StatefulSet/login-keycloak': ['keycloak'] },
  },
  airflow: {
    labels: { release: 'etl', tier: 'airflow' },
    spec: { ...IMAGE_VOLUME, inject: { probes: true } },
    wrapped: {
      'Deployment/etl-scheduler': ['wait-for-airflow-migrations', 'scheduler'],
      'Deployment/etl-webserver': ['wait-for-airflow-migrations', 'webserver'],
      'StatefulSet/etl-worker': ['wait-for-airflow-migrations', 'git-sync', 'worker'],
    },
  },
  grafana: {
    labels: { 'app.kubernetes.io/instance': 'dashboards' },
    spec: { inject: { sources: { secrets: 'Read' } } },
    wrapped: { 'Deployment/dashboards-grafana': ['download-dashboards', 'grafana-sc-dashboard', 'grafana'] },
  },
  kafka: {
    labels: { 'app.kubernetes.io/instance': 'events' },
    spec: IMAGE_VOLUME,
    wrapped: { 'StatefulSet/events-kafka-controller': ['kafka-init', 'kafka'] },
    warnings: [seesText('kafka', 'livenessProbe')],
  },
  wordpress: {
    labels: { 'app.kubernetes.io/instance': 'blog' },
    spec: { rollout: { strategy: 'Automatic' } },
    wrapped: { 'Deployment/blog-wordpress': ['wordpress'] },
    warnings: [
      seesText('wordpress', 'postStart'),
      'set strategy RollingUpdate with maxUnavailable 0: this one ends all pods before the new ones have their secrets',
    ],
  },
  gitlab: {
    labels: { release: 'git' },
    wrapped: { 'Deployment/git-webservice-default': ['configure', 'dependencies', 'webservice', 'gitlab-workhorse'] },
    warnings: [seesText('webservice', 'preStop'), seesText('gitlab-workhorse', 'livenessProbe, readinessProbe')],
  },
};

// All of them take more than three minutes: `make test-charts`. These two have the most shapes: init containers, a sidecar,
// exec probes and hooks, claims, inline references.
const CHOSEN = process.env.CHARTS === 'all' ? Object.keys(CHARTS) : ['postgresql', 'kafka'];

describe('charts on a real kubelet', function () {
  this.timeout(240_000);
  let stage: Stage;
  let cluster: Cluster;
  const charts = new Map(CHOSEN.map((name) => [name, readChart(name)]));

  before(async function () {
    skipWithoutNode(this);
    stage = await startStage({ withNode: true }, { username: 'unused', password: 'unused' });
    cluster = new Cluster(stage.plane);
    await cluster.namespace(NAMESPACE);
    await cluster.namespace(PLAIN);
    for (const [path, data] of secretsOf([...charts.values()].flat())) await writeSecret(stage.vault, path, data);
    const workloads = [...charts.values()].flat().filter(isWorkload);
    const images = new Set(workloads.flatMap(({ spec }) => containersOf(spec.template).map(({ image }) => image)));
    if (stage.node !== undefined) await importStandIns(stage.node, [...images, ...[...images].map(nextOf)]);
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'List',
      items: Array.from({ length: 6 }, (_, index) => disk(index)),
    });
  });
  after(async () => {
    // before() may have skipped
    await (stage as Stage | undefined)?.stop();
  });

  /** Nothing provisions volumes here. */
  function disk(index: number): object {
    const path = join(stage.node?.dir ?? '', 'disks', String(index));
    mkdirSync(path, { recursive: true });
    const spec = { capacity: { storage: '10Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path } };
    return { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: `disk-${index}` }, spec };
  }

  function chartPolicy(name: string, { labels, spec = {} }: Chart): Json {
    const tls = { caBundle: stage.vault.caPem };
    const vault = { address: stage.vault.tlsAddress, tls, auth: { role: 'shop' } };
    const images = Object.entries(ENTRY_POINTS).map(([image, entry]) => ({ match: `${image}:*`, ...entry }));
    const injector = { imagePullPolicy: 'Never', ...(spec.injector as Json | undefined) };
    return policy(NAMESPACE, name, { vault, images, selector: { matchLabels: labels }, ...spec, injector });
  }

  /** What the API server would store of a new workload: where a policy applies, and where none does. */
  async function stored(workload: Workload, namespace: string): Promise<{ template: Template; warnings: string[] }> {
    const manifest = { ...workload, metadata: { ...workload.metadata, namespace } };
    const args = ['create', '--dry-run=server', '-o', 'json', '-f', '-'];
    const { stdout, stderr, code } = await stage.plane.kubectl(args, JSON.stringify(manifest));
    if (code !== 0) throw new Error(stderr);
    return { template: (JSON.parse(stdout) as Workload).spec.template, warnings: warningsIn(stderr) };
  }

  const warningsIn = (said: string): string[] => [...said.matchAll(/^Warning: (.*)$/gm)].map(([, text = '']) => text);

  const live = async (object: KubernetesObject): Promise<Workload> =>
    (await cluster.get(NAMESPACE, object.metadata.name, object.kind)) as unknown as Workload;

  for (const [name, chart] of Object.entries(CHARTS).filter(([name]) => CHOSEN.includes(name))) {
    describe(`in the manner of ${name}`, () => {
      const objects = charts.get(name) ?? [];
      const adapted = objects.map(forThisNode);
      const workloads = adapted.filter(isWorkload);
      const list = { apiVersion: 'v1', kind: 'List', items: adapted };
      const next = { apiVersion: 'v1', kind: 'List', items: adapted.map(upgraded) };
      const lives = (): Promise<Workload[]> => Promise.all(workloads.map(live));

      before(async () => {
        // ConfigMaps and the like are what envFrom refers to
        await cluster.policy(chartPolicy(name, chart));
        for (const object of objects.filter((one) => !isWorkload(one))) await cluster.apply(object);
      });

      it('are admitted as rendered: containers with references are wrapped, nothing else changes', async () => {
        const probes = (chart.spec?.inject as Json | undefined)?.probes === true;
        const warnings: string[] = [];
        for (const workload of objects.filter(isWorkload)) {
          const plain = (await stored(workload, PLAIN)).template;
          const injected = await stored(workload, NAMESPACE);
          warnings.push(...injected.warnings);
          expect(wrappedIn(injected.template)).to.deep.equal(chart.wrapped[keyOf(workload)]);
          expect(wrappedIn(plain)).to.deep.equal([]);
          const isWrapped = (container: string): boolean => wrappedIn(injected.template).includes(container);
          for (const containers of ['initContainers', 'containers'] as const) {
            const expected = plain.spec[containers]?.map((one) => expectedContainer(one, isWrapped(one.name), probes));
            if (expected !== undefined) plain.spec[containers] = expected;
          }
          expect(withoutAdditions(injected.template)).to.deep.equal(plain);
        }
        expect(warnings).to.deep.equal(chart.warnings ?? []);
      });

      it('run, with the secrets in their environment', async () => {
        await cluster.apply(list);
        for (const workload of workloads) {
          await cluster.kubectl('rollout', 'status', keyOf(workload), '-n', NAMESPACE, '--timeout=90s');
          await expectSecrets(workload);
        }
      });

      /** Every wrapped container of every pod has printed its environment. */
      async function expectSecrets(workload: Workload): Promise<void> {
        const { name: app } = workload.metadata;
        const names = await cluster.kubectl('get', 'pods', '-n', NAMESPACE, '-o', 'name');
        const pods = names.split('\n').filter((pod) => new RegExp(`^pod/${app}-[\\w-]+$`).test(pod));
        expect(pods).to.have.length(workload.spec.replicas);
        for (const pod of pods) {
          for (const container of containersOf(workload.spec.template)) {
            if (chart.wrapped[keyOf(workload)]?.includes(container.name) !== true) continue;
            const variables = Object.entries(resolvedVariables(container, objects));
            expect(variables).not.to.have.length(0);
            const log = (): string => stage.node?.podLog(NAMESPACE, pod.slice('pod/'.length), container.name) ?? '';
            await eventually(
              `${pod}, ${container.name} to print its ${variables.length} variables`,
              () => variables.every(([, value]) => log().includes(`=${value}\n`)) || undefined,
              undefined,
              log,
            );
            expect(log()).to.not.match(/VAULT_ENV_CONFIG=|vault:secret/);
          }
        }
      }

      const generations = async (): Promise<unknown[]> => (await lives()).map(({ metadata }) => metadata.generation);
      const templates = async (): Promise<Template[]> => (await lives()).map(({ spec }) => spec.template);

      it('do not change when they are applied again', async () => {
        const before = await generations();
        await cluster.apply(list);
        expect(await generations()).to.deep.equal(before);
        expect(await cluster.kubectl('diff', '-f', fileOf(list))).to.equal('');
      });

      it('are upgraded by a three-way merge like that of Helm, and run', async () => {
        await cluster.apply(next);
        for (const workload of next.items.filter(isWorkload)) {
          expect((await live(workload)).spec.template).to.deep.equal(await cluster.fresh(workload));
          await cluster.kubectl('rollout', 'status', keyOf(workload), '-n', NAMESPACE, '--timeout=90s');
        }
      });

      it('do not change by server-side apply', async () => {
        const upgrade = await templates();
        // The first takes over what client-side apply owns, kubectl's own annotation included, which counts as a change;
        // after it, the API server itself once adds its default to a `rollingUpdate: {}`.
        for (const flags of [['--force-conflicts'], []]) {
          await cluster.apply(next, '--server-side', ...flags);
          expect(await templates()).to.deep.equal(upgrade);
        }
        const before = await generations();
        await cluster.apply(next, '--server-side');
        expect(await generations()).to.deep.equal(before);
      });

      it('are restored byte for byte when their policy is gone', async () => {
        const keys = workloads.map(keyOf);
        await cluster.kubectl('scale', ...keys, '-n', NAMESPACE, '--replicas=0');
        await cluster.kubectl('delete', 'vip', name, '-n', NAMESPACE);
        for (const workload of next.items.filter(isWorkload)) {
          const plain = await bytesWithoutPolicy(workload);
          await eventually(`${keyOf(workload)} to be restored`, async () => {
            // refused while API servers still send the namespace to the webhook as one that must answer
            const annotate = ['annotate', '--overwrite', keyOf(workload), '-n', NAMESPACE, `note=${Date.now()}`];
            await stage.plane.kubectl(annotate);
            return (await bytes(workload)) === plain ? true : undefined;
          });
        }
      });
    });
  }

  const collection = ({ kind }: KubernetesObject, namespace: string): string =>
    `/apis/apps/v1/namespaces/${namespace}/${kind.toLowerCase()}s`;

  /** The template as the API server prints it. */
  async function bytes(workload: Workload): Promise<string> {
    const path = `${collection(workload, NAMESPACE)}/${workload.metadata.name}`;
    return templateIn(await cluster.kubectl('get', '--raw', path));
  }

  async function bytesWithoutPolicy(workload: Workload): Promise<string> {
    const manifest = { ...workload, metadata: { ...workload.metadata, namespace: PLAIN } };
    const path = `${collection(workload, PLAIN)}?dryRun=All`;
    return templateIn(await cluster.kubectl('create', '--raw', path, '-f', fileOf(manifest)));
  }

  const templateIn = (json: string): string => JSON.stringify((JSON.parse(json) as Workload).spec.template);

  function fileOf(manifest: unknown): string {
    const file = join(stage.plane.dir, 'chart.json');
    writeFileSync(file, JSON.stringify(manifest));
    return file;
  }
});
