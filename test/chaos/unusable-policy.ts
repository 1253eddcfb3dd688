/**
 * A policy that cannot be used keeps governing: what runs stays injected, and nothing new is stored without its
 * injection, before and after a restart of the operator.
 */
import { Cluster, WRAPPER } from '../integration/cluster.ts';
import type { Live } from '../integration/cluster.ts';
import { deployment, policy } from '../integration/manifests.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/operator.ts';

/** What became of the workloads that were created or changed in one act of the story. */
export interface Act {
  readonly act: string;
  readonly tried: number;
  readonly injected: number;
  readonly refused: number;
  /** Stored with the reference as plain text. */
  readonly bare: number;
  /** What the API server said to the last one that was refused. */
  readonly message: string;
}

export interface UnusablePolicyOptions {
  readonly plane: ControlPlane;
  /**
   * Stops all replicas of the operator and starts them again, with or without an injector image; waits for ready.
   * `meanwhile` is called when none of them runs.
   */
  readonly restart: (withImage: boolean, meanwhile?: () => Promise<unknown>) => Promise<void>;
  /** How many workloads each act creates, and changes. */
  readonly workloads: number;
  /** false: an earlier version of the operator, which stores no last good rules (default: true). */
  readonly keepsRules?: boolean;
}

const NAMESPACE = 'held';
const NO_LAST_GOOD = 'lost';

/** Plays the story; the operator runs with an image when it begins. Resolves with its acts. */
export async function playUnusablePolicy(options: UnusablePolicyOptions): Promise<Act[]> {
  const { plane, restart, workloads, keepsRules = true } = options;
  const cluster = new Cluster(plane);
  const acts: Act[] = [];
  for (const namespace of [NAMESPACE, NO_LAST_GOOD]) {
    await cluster.namespace(namespace);
    await cluster.policy(policy(namespace, 'strict', { failurePolicy: 'Fail' }));
    acts.push(await create(cluster, plane, namespace, 'before', workloads, `${namespace}: created, policy sound`));
  }
  if (keepsRules) await revisionOf(plane, NO_LAST_GOOD);
  await restart(false);
  // as if the operator had never been able to store it; one that runs stores the rule that it knows again
  await restart(false, () => cluster.kubectl('delete', 'controllerrevisions', '--all', '-n', NO_LAST_GOOD));
  for (const namespace of [NAMESPACE, NO_LAST_GOOD]) {
    await cluster.policyIs(namespace, 'strict', 'Accepted', 'False');
    acts.push(await annotate(cluster, plane, namespace, workloads));
    acts.push(await change(cluster, plane, namespace, workloads));
    acts.push(await create(cluster, plane, namespace, 'during', workloads, `${namespace}: created, policy unusable`));
  }
  await restart(true);
  for (const namespace of [NAMESPACE, NO_LAST_GOOD]) {
    await cluster.policyIs(namespace, 'strict', 'Ready', 'True');
    acts.push(await create(cluster, plane, namespace, 'after', workloads, `${namespace}: created, policy sound again`));
  }
  return acts;
}

async function revisionOf(plane: ControlPlane, namespace: string): Promise<void> {
  await eventually(`the last good rule of ${namespace} to be stored`, async () => {
    const { stdout } = await plane.kubectl(['get', 'controllerrevisions', '-n', namespace, '-o', 'name']);
    return stdout.trim() === '' ? undefined : true;
  });
}

type Attempt = (index: number) => Promise<{ readonly code: number; readonly stderr: string }>;

function create(
  cluster: Cluster,
  plane: ControlPlane,
  namespace: string,
  prefix: string,
  count: number,
  act: string,
): Promise<Act> {
  const attempt: Attempt = (index) =>
    plane.kubectl(['create', '-f', '-'], JSON.stringify(deployment(namespace, `${prefix}-${index}`)));
  return play(cluster, namespace, prefix, count, act, attempt);
}

function annotate(cluster: Cluster, plane: ControlPlane, namespace: string, count: number): Promise<Act> {
  const attempt: Attempt = (index) =>
    plane.kubectl(['annotate', `deployment/before-${index}`, '-n', namespace, 'example.com/touched=yes']);
  return play(cluster, namespace, 'before', count, `${namespace}: annotated, policy unusable`, attempt);
}

function change(cluster: Cluster, plane: ControlPlane, namespace: string, count: number): Promise<Act> {
  const patch = JSON.stringify({ spec: { template: { metadata: { annotations: { changed: 'yes' } } } } });
  const attempt: Attempt = (index) =>
    plane.kubectl(['patch', `deployment/before-${index}`, '-n', namespace, '--type=merge', '-p', patch]);
  return play(cluster, namespace, 'before', count, `${namespace}: template changed, policy unusable`, attempt);
}

async function play(
  cluster: Cluster,
  namespace: string,
  prefix: string,
  count: number,
  act: string,
  attempt: Attempt,
): Promise<Act> {
  let refused = 0;
  let message = '';
  for (let index = 0; index < count; index += 1) {
    const { code, stderr } = await attempt(index);
    if (code === 0) continue;
    refused += 1;
    message = stderr.trim();
  }
  const list = JSON.parse(await cluster.kubectl('get', 'deployments', '-n', namespace, '-o', 'json')) as {
    items: (Live & { metadata: { name: string } })[];
  };
  const own = list.items.filter(({ metadata }) => metadata.name.startsWith(`${prefix}-`));
  const injected = own.filter(({ spec }) => spec.template.spec.containers[0]?.command?.[0] === WRAPPER).length;
  return { act, tried: count, injected, refused, bare: own.length - injected, message };
}
