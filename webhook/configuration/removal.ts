import { mark } from '../../core/marks.ts';
import { coreResource } from '../../core/resources.ts';
import { formatUninstalling } from '../../core/uninstalling.ts';
import type { Uninstalling } from '../../core/uninstalling.ts';
import type { Clock } from '../../kube/clock.ts';
import { isNotFound, isRefusal } from '../../kube/errors.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { SECRET_NAME } from '../certificates/secret.ts';
import { CONFIGURATION_NAME, CONFIGURATIONS, FIELD_MANAGER } from './configuration.ts';
import { findConfiguration } from './find.ts';
import { otherInstallation } from './observed.ts';
import type { Owner } from './owner.ts';

/** What `uninstall` does to the webhook configuration, while replicas may still run. */

export interface RemovalOptions {
  readonly client: Pick<ObjectClient, 'list' | 'patch' | 'delete'>;
  readonly clock: Clock;
  /** The operator's own namespace, which names its installation. */
  readonly installation: string;
  readonly owner: Pick<Owner, 'uid'>;
  /** Told of each step, in a line for people. */
  readonly say: (line: string) => void;
}

// A replica asks for the mark before each write. What it had begun to write then arrives within this time, usually.
const SETTLE_MS = 2_000;
const EVERY_MS = 250;
// With requests that take five seconds each, both are over within a minute, which is what the chart's hook has.
const ANNOUNCE_MS = 10_000;
const REMOVE_MS = 25_000;

/**
 * Tells all replicas, by a mark on their Secret, that the installation is being removed. Without a Secret no replica has
 * started, and nobody is told. What may pass is tried again, for ten seconds. Rejects with ApiError.
 */
export async function announce(
  { client, clock, installation, owner }: Omit<RemovalOptions, 'say'>,
  what: Uninstalling,
): Promise<void> {
  await persisting(clock, ANNOUNCE_MS, async () => {
    const annotations = { [mark.uninstalling]: formatUninstalling(what, await owner.uid()) };
    try {
      const secrets = coreResource('Secret', installation);
      await client.patch(secrets, SECRET_NAME, { metadata: { annotations } }, { fieldManager: FIELD_MANAGER });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return true;
  });
}

/**
 * Removes the configuration, and waits until it stays away. Nothing happens if there is none, or if it belongs to another
 * installation. What may pass is tried again, for 25 s. Rejects with the last ApiError, or with an Error that says why it
 * came back.
 */
export async function removeConfiguration(options: RemovalOptions): Promise<void> {
  const { client, clock, installation, say } = options;
  const state: { goneSince: number | undefined; isTold: boolean } = { goneSince: undefined, isTold: false };
  const step = async (): Promise<boolean> => {
    const observed = await findConfiguration(client);
    if (observed === undefined) {
      state.goneSince ??= clock.elapsed();
      return clock.elapsed() - state.goneSince >= SETTLE_MS;
    }
    state.goneSince = undefined;
    const other = otherInstallation(observed, installation);
    if (other !== undefined) {
      say(`the webhook configuration belongs to the installation in namespace ${other}, and stays`);
      state.isTold = true;
      return true;
    }
    await client.delete(CONFIGURATIONS, CONFIGURATION_NAME).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    if (!state.isTold) say(`removed the MutatingWebhookConfiguration ${CONFIGURATION_NAME}`);
    state.isTold = true;
    return false;
  };
  if (!(await persisting(clock, REMOVE_MS, step))) throw new Error(CAME_BACK);
  if (!state.isTold) say(`there is no MutatingWebhookConfiguration ${CONFIGURATION_NAME}`);
}

/**
 * Repeats `step` until it resolves with true, and resolves with true then; with false after `withinMs`. Rejects if the
 * last attempt did, and at once with a refusal, which does not pass; but for an API server that has just come back, and
 * refuses everything for a moment, because it does not know its roles yet.
 */
async function persisting(clock: Clock, withinMs: number, step: () => Promise<boolean>): Promise<boolean> {
  const deadline = clock.elapsed() + withinMs;
  for (let wasAway = false; ;) {
    try {
      if (await step()) return true;
      if (clock.elapsed() >= deadline) return false;
    } catch (error) {
      if ((isRefusal(error) && !wasAway) || clock.elapsed() >= deadline) throw error;
      wasAway = true;
    }
    await clock.sleep(EVERY_MS);
  }
}

const CAME_BACK =
  `the MutatingWebhookConfiguration ${CONFIGURATION_NAME} was written again each time: stop the operator (kubectl scale ` +
  'deployment NAME --replicas=0), and try again';
