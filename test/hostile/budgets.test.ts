/**
 * What somebody who may write Deployments and ConfigMaps in one namespace sends to end the operator, or to keep it from
 * answering for others. The operator runs with the limits of memory that config/operator sets.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { buildImage } from '../../build/image.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { putIntoEtcd } from '../support/etcd.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { createAuthority } from '../support/pki.ts';
import { pushImage } from '../support/registry-push.ts';
import { startRegistry, type LocalRegistry } from '../support/registry.ts';
import { Cluster, WRAPPER } from '../integration/cluster.ts';
import { container, deployment, policy, type Container, type Workload } from '../integration/manifests.ts';
import { join } from 'node:path';
import { peakMiB, Toll } from './toll.ts';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';

/** memory of the container: config/operator/deployment.yaml */
const LIMIT_MIB = 512;
// A busy machine needs minutes to start an operator that finds 200 MB of Deployments.
const READ_MS = 600_000;
const LONGEST_MS = 2 * READ_MS;
const KEYS = 20_000;
const IMAGES = 12;

describe('a namespace that wants to end the operator', function () {
  this.timeout(LONGEST_MS);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;
  let registry: LocalRegistry;
  let silent: Server;
  const held = new Set<Socket>();
  let served = 0;
  let flags: string[];

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    const authority = await createAuthority('registry-ca');
    registry = await startRegistry({ authority });
    const image = buildImage(
      { name: 'localhost/app:1', files: [{ path: '/app', content: 'app' }], config: { entrypoint: ['/app'] } },
      join(plane.dir, 'app.tar'),
    );
    // one for each time that others are to be served: what is known already is no proof
    for (let index = 0; index < IMAGES; index++) await pushImage(registry, `app-${index}`, '1', image);
    silent = createServer((socket) => held.add(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const ca = join(plane.dir, 'registry-ca.crt');
    writeFileSync(ca, registry.ca);
    flags = ['--registries', `${silentHost()},${registry.host}`, '--registry-ca', ca];
    operator = await start();
    for (const namespace of ['evil', 'good']) {
      await cluster.namespace(namespace);
      await cluster.policy(policy(namespace, 'all', { failurePolicy: 'Fail' }));
    }
  });
  after(async () => {
    for (const socket of held) socket.destroy();
    silent.close();
    await operator.stop();
    await registry.stop();
    await plane.stop();
  });

  let toll: Toll;
  beforeEach(() => (toll = new Toll(() => operator)));
  afterEach(async () => {
    console.log(`      ${await toll.stop()}`);
  });

  const start = (): Promise<RunningOperator> => startOperator({ controlPlane: plane, flags, bundled: true });
  const silentHost = (): string => `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const noCommand = (name: string, image: string): Container => {
    const { name: called, env } = container(name);
    return { name: called, image, env: env ?? [] };
  };
  const apply = async (manifest: unknown): Promise<string> =>
    cluster.apply(manifest).catch((error: unknown) => (error as Error).message);

  /** The other namespace is served: also what needs a registry and a ConfigMap. */
  async function expectOthersServed(name: string): Promise<void> {
    await apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'good' },
      data: { A: 'vault:a#b' },
    });
    const app = { ...noCommand('app', `${registry.host}/app-${served++}:1`), envFrom: [{ configMapRef: { name } }] };
    const said = await apply(deployment('good', name, [app]));
    expect(said).to.contain('created');
    const live = await cluster.get('good', name);
    expect(live.spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
  }

  function expectAlive(): void {
    expect(operator.running(), operator.log().slice(-2_000)).to.equal(true);
    expect(peakMiB(operator)).to.be.lessThan(LIMIT_MIB);
  }

  /** Starts the operator again, and waits until its metrics show that it knows all workloads. */
  async function restart(knowsAll: (metrics: string) => boolean): Promise<void> {
    await operator.stop();
    operator = await start();
    const known = async (): Promise<true | undefined> => {
      const { body } = await operator.health('/metrics');
      return knowsAll(body) ? true : undefined;
    };
    await eventually('all workloads to be known', known, READ_MS);
  }

  /** Puts Deployments of the attacker where the API server finds them, past its limits; `more` is in their pod specs. */
  async function store(app: string, count: number, more: object): Promise<void> {
    const template = { metadata: { labels: { app } }, spec: { containers: [container('app')], ...more } };
    for (let index = 0; index < count; index++) {
      const name = `${app}-${index}`;
      await putIntoEtcd(plane.etcdEndpoint, `/registry/deployments/evil/${name}`, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: 'evil', uid: randomUUID() },
        spec: { replicas: 0, selector: { matchLabels: { app } }, template },
      });
    }
  }

  describe('by 300 references to one ConfigMap of 20,000 keys', () => {
    const workload = (name: string, times: number): Workload => {
      const envFrom = Array.from({ length: times }, (_, index) => ({
        prefix: `P${index}_`,
        configMapRef: { name: 'big' },
      }));
      return deployment('evil', name, [{ ...container('app'), envFrom } as Container]);
    };

    before(async () => {
      const data = Object.fromEntries(Array.from({ length: KEYS }, (_, index) => [`KEY_${index}`, 'value']));
      await cluster.kubectl('create', 'namespace', 'lenient');
      await cluster.policy(policy('lenient', 'all', { failurePolicy: 'Ignore' }));
      for (const namespace of ['evil', 'lenient']) {
        const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'big', namespace }, data };
        await plane.kubectlOk(['create', '-f', '-'], JSON.stringify(manifest));
      }
    });

    it('is refused under Fail, in a sentence, and costs nobody else anything', async () => {
      expect(await apply(workload('keys', 300))).to.match(
        /policy all does not inject it: over 10000 variables from ConfigMaps and Secrets are more than the 10000/,
      );
      await expectOthersServed('keys');
      expectAlive();
    });

    it('is admitted as it is under Ignore, told in the status, and survived by a restart', async () => {
      const manifest = workload('keys', 300);
      manifest.metadata.namespace = 'lenient';
      expect(await apply(manifest)).to.contain('created');
      const policyNow = (): Promise<string> => cluster.kubectl('get', 'vip', 'all', '-n', 'lenient', '-o', 'json');
      const told = async (): Promise<string | undefined> => {
        const status = await policyNow();
        return status.includes('WorkloadTooLarge') ? status : undefined;
      };
      const instead = async (): Promise<string> => `${await policyNow()}\n${operator.log().slice(-8_000)}`;
      await eventually('the status to tell of the workload', told, READ_MS, instead);
      await operator.stop();
      operator = await start();
      await eventually('the status to tell of it again', told, READ_MS, instead);
      await expectOthersServed('keys-again');
      expectAlive();
    });
  });

  // after the others: reading what these leave takes a busy machine minutes, each time that the operator starts
  describe('by what its Deployments hold', () => {
    it('by 120 Deployments of 1.4 MB each is survived, also when the operator starts with them', async () => {
      // parsed, an entry takes ten times the memory that it takes as text
      const nodeSelector = Object.fromEntries(Array.from({ length: 110_000 }, (_, index) => [`k${index}`, '']));
      await store('large', 120, { nodeSelector });
      await expectOthersServed('large');
      expectAlive();
      await restart((metrics) => /vault_injection_workloads\{[^}]*\} (\d{3,})/.test(metrics));
      await expectOthersServed('large-again');
      expectAlive();
    });

    // what takes the most memory for its length: three bytes as text, 56 parsed
    const empties = (count: number): unknown[] => Array.from({ length: count }, () => ({}));

    it('by a Deployment of 2.7 MB with 900,000 empty elements is refused in a sentence, and survived', async () => {
      const workload = deployment('evil', 'empty', [container('app')]);
      Object.assign(workload.spec.template.spec, { tolerations: empties(900_000) });
      const said = await plane
        .kubectlOk(['create', '-f', '-'], JSON.stringify(workload))
        .catch((error: unknown) => (error as Error).message);
      expect(said.slice(0, 1_000)).to.match(
        /policy all does not inject it: .* fields and elements of lists are more than/,
      );
      await expectOthersServed('empty');
      expectAlive();
    });

    it('by 30 Deployments of 1.4 MB with 450,000 empty elements each is survived, also when the operator starts with them', async () => {
      await store('hollow', 30, { tolerations: empties(450_000) });
      await expectOthersServed('hollow');
      expectAlive();
      await restart((metrics) => {
        const denied = /vault_injection_workloads\{[^}]*state="Denied"[^}]*\} (\d+)/.exec(metrics);
        return Number(denied?.[1] ?? 0) >= 30;
      });
      await expectOthersServed('hollow-again');
      expectAlive();
    });

    it('by 250 images at a registry that says nothing costs another namespace no review', async () => {
      const attack = Array.from({ length: 5 }, (_, part) => {
        const containers = Array.from({ length: 50 }, (__, index) =>
          noCommand(`c${index}`, `${silentHost()}/image-${part}-${index}:1`),
        );
        return apply(deployment('evil', `images-${part}`, containers));
      });
      for (let index = 0; index < 5; index++) await expectOthersServed(`beside-${index}`);
      const refused = await Promise.all(attack);
      for (const said of refused) expect(said).to.match(/is not known|too many/);
      expectAlive();
    });

    it('by more images than a pod can have is refused at once', async () => {
      const containers = Array.from({ length: 200 }, (_, index) =>
        noCommand(`c${index}`, `${silentHost()}/i-${index}:1`),
      );
      expect(await apply(deployment('evil', 'many-images', containers))).to.contain(
        '200 images whose entry point is not known are more than the 64 that are reviewed',
      );
      expectAlive();
    });
  });
});
