/** Rotations of the webhook's authority, one after another, while API servers send reviews all the time. */
import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import { leasesIn } from '../../kube/lease.ts';
import { mark } from '../../core/marks.ts';
import type { Resource } from '../../core/object.ts';
import { fingerprintOf } from '../../webhook/certificates/inspect.ts';
import { bundleOf, decodeSet } from '../../webhook/certificates/secret.ts';
import { SECRET_NAME } from '../../webhook/certificates/secret.ts';
import type { Secret } from '../../webhook/certificates/secret.ts';
import type { ControlPlane } from './control-plane.ts';
import type { RunningOperator } from './operator.ts';
import { eventually } from './operator.ts';

const SYSTEM = 'vault-injection-system';
const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', namespace: SYSTEM };
const ROTATION_MS = 120_000;

export interface RotationsOptions {
  readonly plane: Pick<ControlPlane, 'kubeconfig'>;
  readonly operators: readonly RunningOperator[];
  /** Deployments that are updated, under a policy with failurePolicy Fail. */
  readonly namespace: string;
  readonly deployments: readonly string[];
  readonly rotations: number;
}

export interface RotationsResult {
  readonly rotations: number;
  readonly reviews: number;
  /** What the API server said about each update that failed. */
  readonly failures: readonly string[];
  /** TLS handshakes of all replicas, by rotation. */
  readonly handshakes: readonly number[];
  /** Milliseconds from the request for a rotation to its end, by rotation. */
  readonly durations: readonly number[];
}

/** Asks for one rotation after another, each when the one before is over; updates each Deployment all the time. */
export async function rotateUnderLoad(options: RotationsOptions): Promise<RotationsResult> {
  const kubeConfig = loadKubeConfig({ file: options.plane.kubeconfig, context: '' });
  const client = new ApiClient({ kubeConfig, userAgent: 'rotations/1' });
  const over = new AbortController();
  const failures: string[] = [];
  const loads = options.deployments.map((name) => updateUntil(over.signal, client, options.namespace, name, failures));
  const handshakes: number[] = [];
  const durations: number[] = [];
  let updates: readonly number[];
  try {
    for (let rotation = 1; rotation <= options.rotations; rotation++) {
      const [before, begun] = [await handshakesOf(options.operators), performance.now()];
      await rotate(client, `${rotation}/${begun}`, options.operators.length);
      durations.push(performance.now() - begun);
      handshakes.push((await handshakesOf(options.operators)) - before);
    }
  } finally {
    over.abort();
    updates = await Promise.all(loads);
    await kubeConfig.close();
  }
  const reviews = updates.reduce((sum, count) => sum + count, 0);
  return { rotations: options.rotations, reviews, failures, handshakes, durations };
}

/** Updates a Deployment again and again, so that each update is reviewed; resolves with their number. */
async function updateUntil(
  signal: AbortSignal,
  client: ApiClient,
  namespace: string,
  name: string,
  failures: string[],
): Promise<number> {
  const resource: Resource = { group: 'apps', version: 'v1', plural: 'deployments', namespace };
  let count = 0;
  while (!signal.aborted) {
    count += 1;
    const changes = { metadata: { annotations: { 'example.com/turn': String(count) } } };
    try {
      await client.patch(resource, name, changes, { fieldManager: 'rotations' });
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  return count;
}

/** Asks for a new authority; resolves when it is the only one, and all replicas serve certificates of it. */
async function rotate(client: ApiClient, value: string, replicas: number): Promise<void> {
  const changes = { metadata: { annotations: { [mark.renew]: value } } };
  await client.patch(SECRETS, SECRET_NAME, changes, { fieldManager: 'rotations' });
  await eventually(`rotation ${value} to be over`, () => isOver(client, value, replicas), ROTATION_MS);
}

async function isOver(client: ApiClient, value: string, replicas: number): Promise<true | undefined> {
  const secret = await client.get<Secret>(SECRETS, SECRET_NAME);
  if (secret?.metadata.annotations?.[mark.renewed] !== value) return undefined;
  const { current, next, previous } = decodeSet(secret);
  if (current === undefined || next !== undefined || previous !== undefined) return undefined;
  const authority = fingerprintOf(bundleOf({ current }));
  const leases = await client.list(leasesIn(SYSTEM), { labelSelector: mark.replica });
  const states = leases.items.map(
    ({ metadata }) => JSON.parse(metadata.annotations?.[mark.state] ?? '{}') as { serves?: string },
  );
  return states.length === replicas && states.every(({ serves }) => serves === authority) ? true : undefined;
}

async function handshakesOf(operators: readonly RunningOperator[]): Promise<number> {
  const pages = await Promise.all(operators.map((operator) => operator.health('/metrics')));
  const counts = pages.map(({ body }) => Number(/^vault_injection_tls_handshakes_total (\d+)/m.exec(body)?.[1] ?? 0));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Returns a table of it, for people. */
export function tableOf({ rotations, reviews, failures, handshakes, durations }: RotationsResult): string {
  const sorted = handshakes.toSorted((a, b) => a - b);
  const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  return [
    '| rotations | reviews | failed | TLS handshakes per rotation (median, most) | seconds per rotation |',
    '| --- | --- | --- | --- | --- |',
    `| ${rotations} | ${reviews} | ${failures.length} | ${sorted[Math.floor(sorted.length / 2)] ?? 0}, ${sorted.at(-1) ?? 0} | ${(mean(durations) / 1000).toFixed(1)} |`,
  ].join('\n');
}
