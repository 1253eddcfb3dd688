/** A kind of another operator, that the setting templates adds: its CRD, and the operator, on the real API server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { stringify } from 'yaml';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import type { LiveTemplate } from './cluster.ts';
import { crdOf, templateRow } from './custom-kind.ts';
import { container, policy } from './manifests.ts';

const NAMESPACE = 'arcade';
const KIND = 'GameServer.apps.example.com';
const ENTRY = 'gameservers-apps-example-com.fail';
const GAME_SERVER = { group: 'apps.example.com', resource: 'gameservers', kind: 'GameServer' };
const CRD = crdOf(GAME_SERVER);
// the operator looks again for a kind that is missing within 30 s, and for what is draining after 30 s and within a minute
const AGAIN_MS = 150_000;

function gameServer(name: string, image = 'registry.example.com/game:1'): { readonly metadata: { readonly name: string } } {
  const template = { metadata: { labels: { app: name } }, spec: { containers: [container('app', { image })] } };
  return {
    apiVersion: 'apps.example.com/v1',
    kind: 'GameServer',
    metadata: { name, namespace: NAMESPACE },
    spec: { slots: 8, template },
  } as { metadata: { name: string } };
} // prettier-ignore

describe('a kind that the setting templates adds', function () {
  this.timeout(240_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;
  let dir: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'added-kind-'));
    writeFileSync(join(dir, 'settings.yaml'), stringify({ templates: [templateRow(GAME_SERVER)] }));
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    operator = await startOperator({ controlPlane: plane, flags: ['--config', join(dir, 'settings.yaml')] });
    await cluster.namespace(NAMESPACE);
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const targeting = (...targets: readonly string[]): { metadata?: unknown } => policy(NAMESPACE, 'games', { targets });

  async function live(name: string): Promise<LiveTemplate> {
    const text = await cluster.kubectl('get', 'gameserver', name, '-n', NAMESPACE, '-o', 'json');
    return (JSON.parse(text) as { spec: { template: LiveTemplate } }).spec.template;
  }

  async function appOf(name: string): Promise<unknown> {
    const [app] = (await live(name)).spec.containers;
    return [app?.image, app?.command, app?.args];
  }

  const INJECTED = [[WRAPPER], ['--', '/bin/shop', 'serve', '--port=8080']];
  const ORIGINAL = [['/bin/shop'], ['serve', '--port=8080']];

  async function expectApp(name: string, how: readonly unknown[], image = 'registry.example.com/game:1'): Promise<void> {
    expect(await appOf(name)).to.deep.equal([image, ...how]);
  } // prettier-ignore

  async function entries(): Promise<readonly string[]> {
    const path = 'jsonpath={.webhooks[*].name}';
    const names = await cluster.kubectl('get', 'mutatingwebhookconfiguration', 'vault-injection-operator', '-o', path);
    return names.split(' ').map((name) => name.replace('.vaultinjection.dev', ''));
  }

  /** Waits until the condition Ready of the policy has this reason. Resolves with its message. */
  function readyIs(reason: string): Promise<string> {
    return eventually(
      `Ready with ${reason}`,
      async () => {
        const { status } = JSON.parse(
          await cluster.kubectl('get', 'vip', 'games', '-n', NAMESPACE, '-o', 'json'),
        ) as Policy;
        const ready = status?.conditions?.find(({ type }) => type === 'Ready');
        return ready?.reason === reason ? ready.message : undefined;
      },
      AGAIN_MS,
    );
  }

  it('that it does not have is unknown, and the policy says what to write', async () => {
    await cluster.apply(targeting('Deployment', 'GameServer.apps.example.org'));
    expect(await readyIs('TargetUnknown'))
      .to.contain('GameServer.apps.example.org')
      .and.contain('templates');
  });

  it('may be installed after the operator', async () => {
    await cluster.apply(targeting('Deployment', KIND));
    expect(await readyIs('TargetUnavailable')).to.contain(KIND);
    await cluster.apply(CRD);
    await cluster.kubectl('wait', '--for=condition=Established', `crd/${CRD.metadata.name}`, '--timeout=60s');
    await eventually('the policy to be Ready', () =>
      cluster.policyIs(NAMESPACE, 'games', 'Ready', 'True').then(() => true, () => undefined), AGAIN_MS); // prettier-ignore
    expect(await entries()).to.deep.equal(['deployments.fail', ENTRY, 'probe']);
  });

  it('is injected when it is created, and stays so when it is applied again', async () => {
    await cluster.apply(gameServer('made'));
    await expectApp('made', INJECTED);
    const before = JSON.stringify(await live('made'));
    for (let times = 0; times < 2; times++) await cluster.apply(gameServer('made'));
    expect(JSON.stringify(await live('made'))).to.equal(before);
  });

  it('stays as it is when it is applied by the server', async () => {
    const before = JSON.stringify(await live('made'));
    for (let times = 0; times < 2; times++)
      await cluster.apply(gameServer('made'), '--server-side', '--force-conflicts', '--field-manager=ci');
    expect(JSON.stringify(await live('made'))).to.equal(before);
  });

  it('stays injected, once, when its template changes', async () => {
    const image = 'registry.example.com/game:2';
    await cluster.apply(gameServer('made', image), '--server-side', '--force-conflicts', '--field-manager=ci');
    await expectApp('made', INJECTED, image);
  });

  it('has its own command while an annotation excludes it', async () => {
    await cluster.apply(gameServer('excluded'));
    await cluster.kubectl('annotate', 'gameserver', 'excluded', '-n', NAMESPACE, 'vaultinjection.dev/inject=false');
    await expectApp('excluded', ORIGINAL);
    await cluster.kubectl('annotate', 'gameserver', 'excluded', '-n', NAMESPACE, 'vaultinjection.dev/inject-');
    await expectApp('excluded', INJECTED);
    await cluster.kubectl('delete', 'gameserver', 'excluded', '-n', NAMESPACE);
  });

  it('is counted in the status of its policy', () =>
    eventually('the count', async () => {
      const path = 'jsonpath={.status.workloads.injected}';
      return (await cluster.kubectl('get', 'vip', 'games', '-n', NAMESPACE, '-o', path)) === '1' ? true : undefined;
    }));

  it('leaves the webhook when no policy names it, after the last one was restored', async () => {
    await cluster.policy(targeting('Deployment'));
    await cluster.kubectl('annotate', 'gameserver', 'made', '-n', NAMESPACE, 'touched=yes');
    await expectApp('made', ORIGINAL, 'registry.example.com/game:2');
    const isGone = async (): Promise<true | undefined> =>
      (await entries()).some((name) => name.startsWith('gameservers')) ? undefined : true;
    await eventually('the kind to leave', isGone, AGAIN_MS);
  });

  it('is restored when the policy is deleted', async () => {
    await cluster.policy(targeting('Deployment', KIND));
    await cluster.apply(gameServer('later'));
    await expectApp('later', INJECTED);
    await cluster.kubectl('delete', 'vip', 'games', '-n', NAMESPACE);
    // until the Fail entry is gone, nobody knows whether another replica has a policy that this one has not seen
    await eventually('a change of it to be admitted', async () => {
      const change = ['annotate', '--overwrite', 'gameserver', 'later', '-n', NAMESPACE, `touched=${Date.now()}`];
      return (await plane.kubectl(change)).code === 0 ? true : undefined;
    });
    await expectApp('later', ORIGINAL);
  });
});

interface Policy {
  readonly status?: { readonly conditions?: readonly { type: string; reason: string; message: string }[] };
}
