/**
 * How long a pod takes until it is available, on the real kubelet, and what holding the rollout costs: as it would be
 * without that, with the startup probe (ADR 19), and with an init container that resolves the same references first.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Cluster } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { workload } from '../e2e/pods.ts';
import { whyNoNode } from '../support/node.ts';
import { startStage } from '../support/stage.ts';
import type { Stage } from '../support/stage.ts';
import { fixed, median, table } from './table.ts';

const NAMESPACE = 'shop';
const ROUNDS = 12;
const SECRET = { username: 'shop', password: 'not-looked-at' };
const PROGRAM = { image: 'localhost/probe:1', command: ['/probe', '-wait', '--', 'PASSWORD'] };
const ENV = { PASSWORD: 'vault:secret/data/shop/db#password' };

type Variant = 'nothing holds it' | 'startup probe' | 'init container that resolves';
const VARIANTS: readonly Variant[] = ['nothing holds it', 'startup probe', 'init container that resolves'];

/** Markdown with one table; says why if there is none. */
export async function benchPodStart(): Promise<string> {
  const reason = whyNoNode();
  if (reason !== undefined) return `Pods were not started: ${reason}.\n`;
  const stage = await startStage({ withNode: true }, SECRET);
  try {
    const cluster = new Cluster(stage.plane);
    await cluster.namespace(NAMESPACE);
    await cluster.kubectl('create', 'serviceaccount', 'shop', '-n', NAMESPACE);
    await cluster.policy(shop(stage, 'probe', true));
    await cluster.policy(shop(stage, 'none', false));
    const times = new Map<Variant, number[]>(VARIANTS.map((variant) => [variant, []]));
    for (let round = 0; round <= ROUNDS; round++) {
      for (const variant of VARIANTS) {
        const ms = await timed(cluster, variant, `start-${round}`);
        // the first of each fills caches
        if (round > 0) times.get(variant)?.push(ms);
      }
    }
    return report(times);
  } finally {
    await stage.stop();
  }
}

function shop(stage: Stage, name: string, startupProbe: boolean): Record<string, unknown> {
  return policy(NAMESPACE, name, {
    vault: { address: stage.vault.tlsAddress, tls: { caBundle: stage.vault.caPem }, auth: { role: 'shop' } },
    selector: { matchLabels: { policy: name } },
    injector: { delivery: 'ImageVolume', imagePullPolicy: 'Never' },
    inject: { startupProbe },
  });
}

/** Resolves with the milliseconds from the creation of a Deployment of one pod until that is available. */
async function timed(cluster: Cluster, variant: Variant, name: string): Promise<number> {
  const by = variant === 'startup probe' ? 'probe' : 'none';
  const made = workload(NAMESPACE, name, by, PROGRAM, ENV) as {
    spec: { template: { spec: { containers: object[]; initContainers?: object[] } } };
  };
  const { spec } = made.spec.template;
  if (variant === 'init container that resolves') {
    spec.initContainers = [{ ...spec.containers[0], name: 'first', command: ['/probe'] }];
  }
  const began = performance.now();
  await cluster.apply(made);
  for (;;) {
    const available = await cluster.kubectl(
      ...['get', 'deployment', name, '-n', NAMESPACE, '-o', 'jsonpath={.status.availableReplicas}'],
    );
    if (available === '1') break;
    await sleep(20);
  }
  const ms = performance.now() - began;
  await cluster.kubectl('delete', 'deployment', name, '-n', NAMESPACE, '--cascade=foreground');
  return ms;
}

function report(times: ReadonlyMap<Variant, readonly number[]>): string {
  const base = median(times.get('nothing holds it') ?? []);
  const rows = VARIANTS.map((variant) => {
    const all = (times.get(variant) ?? []).toSorted((a, b) => a - b);
    const seconds = (ms: number): string => `${fixed(ms / 1000, 2)} s`;
    const [first = 0, last = 0] = [all[0], all.at(-1)];
    return [variant, seconds(median(all)), `${seconds(first)} – ${seconds(last)}`, fixed(median(all) / base, 2)];
  });
  return `${table([['from Deployment to available pod', 'median', 'range', 'ratio'], ...rows])}\n\n${ROUNDS} pods each, in turns.\n`;
}
