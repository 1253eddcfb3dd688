/**
 * `uninstall --restore` that is killed at several moments, told to stop, run twice at once, and cut off from the API
 * server: run again, it ends complete, and no workload loses anything. The Vault of the policy does not exist at all: to
 * restore asks no Vault.
 */
import { expect } from 'chai';

import { mark } from '../../core/marks.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { installDefault } from '../support/installed.ts';
import { eventually as within, startOperator, type RunningOperator } from '../support/operator.ts';
import { startUninstall, type Uninstalling } from '../support/uninstall.ts';
import { OPERATOR } from '../support/vault.ts';
import { Cluster, WRAPPER, type Live } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

const { name: NAME, namespace: SYSTEM } = OPERATOR;
const SECRET = `${NAME}-webhook`;
const WORKLOADS = Array.from({ length: 6 }, (_, index) => `web-${index}`);
const PATIENCE_MS = 120_000;

function eventually<T>(what: string, probe: () => Promise<T | undefined> | T | undefined): Promise<T> {
  return within(what, probe, PATIENCE_MS);
}

describe('uninstall --restore that is interrupted', function () {
  this.timeout(300_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let kubeconfig: string;
  let operator: RunningOperator | undefined;
  /** Templates as admission made them, and as they were meant. */
  const asInjected = new Map<string, string>();
  let asMeant: string;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    for (const namespace of ['shop', 'free']) await cluster.namespace(namespace);
    kubeconfig = await installDefault(plane, 'operator');
    const kubectlOk = (args: readonly string[], stdin?: string): Promise<string> => plane.kubectlOk(args, stdin);
    operator = await startOperator({
      controlPlane: { kubeconfig, kubectlOk },
      service: NAME,
      flags: ['--certificate-wait', '1s'],
    });
    await cluster.policy(policy('shop', 'shop', { failurePolicy: 'Fail' }));
    await cluster.apply({ apiVersion: 'v1', kind: 'List', items: WORKLOADS.map((name) => deployment('shop', name)) });
    for (const [name, live] of await lives()) asInjected.set(name, templateOf(live));
    await cluster.apply(deployment('free', 'web'));
    asMeant = templateOf(await cluster.get('free', 'web'));
    expect(await injected()).to.deep.equal(WORKLOADS);
  });
  after(async () => {
    await operator?.stop('SIGKILL');
    await plane.stop();
  });

  async function lives(): Promise<(readonly [string, Live])[]> {
    const { items } = JSON.parse(await cluster.kubectl('get', 'deployments', '-n', 'shop', '-o', 'json')) as {
      items: (Live & { metadata: { name: string } })[];
    };
    return items.map((item) => [item.metadata.name, item] as const);
  }
  /** But for the label that names the workload. */
  const templateOf = ({ spec }: Live): string =>
    JSON.stringify(spec.template).replaceAll(/"app":"web(-\d+)?"/g, '"app":"web"');
  /** Names of those that are injected; each of the others has to be as it was meant. */
  async function injected(): Promise<string[]> {
    const found: string[] = [];
    for (const [name, live] of await lives()) {
      const isInjected = live.spec.template.spec.containers[0]?.command?.[0] === WRAPPER;
      expect(templateOf(live), name).to.equal(isInjected ? (asInjected.get(name) ?? templateOf(live)) : asMeant);
      if (isInjected) found.push(name);
    }
    return found;
  }
  const start = (...flags: string[]): Uninstalling => startUninstall(kubeconfig, '--restore', ...flags);
  const marked = async (): Promise<string | undefined> => {
    const { metadata } = JSON.parse(await cluster.kubectl('get', 'secret', SECRET, '-n', SYSTEM, '-o', 'json')) as {
      metadata: { annotations?: Record<string, string> };
    };
    return metadata.annotations?.[mark.uninstalling];
  };
  const isThere = async (): Promise<boolean> =>
    (await plane.kubectl(['get', 'mutatingwebhookconfiguration', NAME])).code === 0;
  const fewerThan = (count: number): Promise<true> =>
    eventually('a workload to be restored', async () => ((await injected()).length < count ? true : undefined));
  const says = (process: Uninstalling, text: string): Promise<true> =>
    eventually(`it to say: ${text}`, () => (process.output().includes(text) ? true : undefined));

  it('is killed when it has told the replicas: nothing is lost', async () => {
    const first = start('--rate=1');
    await eventually('the mark', async () => ((await marked())?.startsWith('Restore/') === true ? true : undefined));
    first.kill('SIGKILL');
    expect((await first.ended).status).to.equal(null);
    await injected();
    expect(await isThere()).to.equal(true);
  });

  it('is killed among the workloads: each is as it was meant, or injected as before', async () => {
    const before = (await injected()).length;
    const second = start('--rate=1');
    await fewerThan(before);
    second.kill('SIGKILL');
    expect((await second.ended).status).to.equal(null);
    expect((await injected()).length).to.be.within(1, before - 1);
    expect(await isThere()).to.equal(true);
  });

  it('is told to stop: it says what is left and how to go on, and removes nothing', async () => {
    const before = (await injected()).length;
    const third = start('--rate=1');
    await fewerThan(before);
    third.kill('SIGTERM');
    const { status, output } = await third.ended;
    const left = await injected();
    expect(status, output).to.equal(1);
    expect(output).to.contain(
      `stopped by a signal\nrestored ${before - left.length} of ${before}, ${left.length} left\n`,
    );
    for (const name of left) expect(output).to.contain(`left: shop/${name} (Deployment): `);
    expect(output).to.contain('nothing was removed: run it again');
    expect(await isThere()).to.equal(true);
  });

  it('is run twice at once while the API server is away for a moment: both end well, and all is restored', async () => {
    expect(await injected()).not.to.deep.equal([]);
    const both = [start('--rate=1'), start('--rate=1')];
    for (const one of both) await says(one, 'restoring ');
    await plane.stopApiServer();
    for (const one of both) await says(one, 'waiting for the API server: ');
    await plane.startApiServer();
    for (const one of both) {
      const { status, output } = await one.ended;
      expect(status, output).to.equal(0);
    }
    expect(await injected()).to.deep.equal([]);
    for (const [name, { metadata }] of await lives()) {
      const ours = Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith('vaultinjection.dev/'));
      expect(ours, name).to.deep.equal([]);
    }
    expect(await isThere()).to.equal(false);
  });

  it('is killed when it has removed the configuration: that stays away, and admission goes on', async () => {
    const key = mark.uninstalling.replaceAll('/', '~1');
    const takenBack = JSON.stringify([{ op: 'remove', path: `/metadata/annotations/${key}` }]);
    await cluster.kubectl('patch', 'secret', SECRET, '-n', SYSTEM, '--type=json', '-p', takenBack);
    await eventually('the configuration', async () => ((await isThere()) ? true : undefined));
    const last = start();
    await says(last, 'removed the MutatingWebhookConfiguration');
    last.kill('SIGKILL');
    await last.ended;
    const { status, output } = await start().ended;
    expect({ status, output }).to.deep.equal({
      status: 0,
      output: `no workload is injected\nthere is no MutatingWebhookConfiguration ${NAME}\n`,
    });
    await cluster.apply(deployment('shop', 'web'));
    expect(await injected()).to.deep.equal([]);
  });
});
