import type { Clock } from '../../kube/clock.ts';
import { Informer } from '../../kube/informer.ts';
import { isConflict, isNotFound } from '../../kube/errors.ts';
import type { Resource } from '../../core/object.ts';
import { compareVersions } from '../../core/resource-version.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import {
  CONFIGURATION_NAME,
  FIELD_MANAGER,
  buildConfiguration,
  excludedNamespaces,
  isAsDesired,
  lastOtherManager,
  namespacesIn,
  withExactEntries,
} from './configuration.ts';
import type { WebhookConfiguration, WebhookTarget } from './configuration.ts';
import { DrainWatch } from './drain-watch.ts';
import { NamespaceLedger } from './namespaces.ts';
import type { NamespacePolicies } from './namespaces.ts';
import { PassLoop } from '../../kube/pass-loop.ts';
import type { Published } from './published.ts';

export interface ConfigurationKeeperOptions {
  readonly client: ObjectClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
  readonly target: WebhookTarget;
  /** What the cluster's configuration says: this keeper updates it, others read it too. */
  readonly published: Published;
  readonly labels: Readonly<Record<string, string>>;
  /** Returns the PEM of the authorities to publish, the one in use first; '' while there is none yet. */
  readonly bundlePem: () => string;
  /** Called if somebody else had changed or deleted the configuration. */
  readonly onRepaired?: () => void;
}

const RESOURCE: Resource = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
};

const EVERY_MS = 60_000;
// A burst of policies (kubectl apply -f of a directory) becomes a few writes.
const GAP_MS = 100;
// This many repairs per minute are made at once; more than that means that somebody else keeps reverting them, so the
// load on the API server is limited.
const PROMPT_REPAIRS = 5;
const PROMPT_WITHIN_MS = 60_000;
const SLOW_REPAIR_MS = 10_000;

/** Writes the MutatingWebhookConfiguration whenever it is not as it should be, and knows which parts are in force. */
export class ConfigurationKeeper {
  readonly #options: ConfigurationKeeperOptions;
  readonly #ledger: NamespaceLedger;
  readonly #published: Published;
  readonly #drains: DrainWatch;
  readonly #loop: PassLoop;
  readonly #informer: Informer<WebhookConfiguration>;
  #observed: WebhookConfiguration | undefined;
  #isRemembered = false;
  /** What was last seen in place: any difference from it was made by somebody else. */
  #settled = '';
  #repairs: number[] = [];

  constructor(options: ConfigurationKeeperOptions) {
    const { client, clock, random, logger, target } = options;
    this.#options = options;
    this.#ledger = new NamespaceLedger(excludedNamespaces(target));
    this.#published = options.published;
    this.#drains = new DrainWatch({
      client,
      clock,
      random,
      logger,
      ledger: this.#ledger,
      onDropped: () => this.wake(),
    });
    this.#loop = new PassLoop({
      clock,
      random,
      logger,
      outages: options.outages,
      what: 'keeping the webhook configuration',
      pass: () => this.pass(),
      everyMs: EVERY_MS,
      gapMs: GAP_MS,
    });
    this.#informer = new Informer<WebhookConfiguration>({
      client,
      resource: RESOURCE,
      fieldSelector: `metadata.name=${CONFIGURATION_NAME}`,
      clock,
      random,
      logger,
      onChange: (_, object, previous) => this.#noticed(object, previous),
      onSynced: () => this.wake(),
    });
  }

  start(): void {
    this.#informer.start();
    this.#loop.start();
    this.#drains.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#informer.stop(), this.#loop.stop(), this.#drains.stop()]);
  }

  /** Sets all namespaces that have policies now. Nothing is written before the first call. */
  setPolicies(policies: NamespacePolicies): void {
    this.#ledger.setPolicies(policies, this.#options.clock.now());
    this.#drains.wake();
    this.wake();
  }

  /** Notes that an admission restored a workload in this namespace. */
  noteRestored(namespace: string): void {
    this.#ledger.noteRestored(namespace, this.#options.clock.now());
    this.#drains.wake();
  }

  /** Call it when something in the configuration has changed, such as the bundle. */
  wake(): void {
    this.#loop.wake();
  }

  /** Whether the API server now sends this namespace's workloads here, as its policies ask. */
  programmed(namespace: string): boolean {
    const entry = this.#ledger.entryOf(namespace);
    return entry !== undefined && this.#published.isInForce(entry, namespace);
  }

  /** Whether policies of this namespace are never programmed. */
  excludes(namespace: string): boolean {
    return excludedNamespaces(this.#options.target).includes(namespace);
  }

  /**
   * One look at everything; start() runs them one after another. Resolves with the milliseconds until the next, if
   * sooner.
   */
  async pass(): Promise<number | undefined> {
    if (!this.#informer.synced) return undefined;
    this.#remember();
    const namespaces = this.#ledger.assignment();
    const caBundle = this.#options.bundlePem();
    if (namespaces === undefined || caBundle === '') return undefined;
    const { target, labels } = this.#options;
    const desired = buildConfiguration({ target, caBundle, namespaces, labels });
    if (!isAsDesired(this.#observed, desired)) {
      this.#published.look(this.#observed, caBundle);
      const waitMs = this.#beforeWriting(desired);
      if (waitMs > 0) return waitMs;
      if (!(await this.#write(desired))) return 0;
    }
    this.#settled = JSON.stringify(desired);
    return this.#published.look(this.#observed, caBundle);
  }

  /** Takes the namespaces that may have injected workloads from the configuration of before this process. */
  #remember(): void {
    if (this.#isRemembered) return;
    this.#isRemembered = true;
    if (this.#observed === undefined) {
      this.#drains.sweep();
      return;
    }
    const { ignore, fail } = namespacesIn(this.#observed);
    this.#ledger.remember([...ignore, ...fail], this.#options.clock.now());
    this.#drains.wake();
  }

  /** Notes a repair; returns the milliseconds to wait before it. */
  #beforeWriting(desired: WebhookConfiguration): number {
    const { clock, logger, onRepaired } = this.#options;
    if (this.#settled !== JSON.stringify(desired)) return 0;
    const now = clock.now();
    this.#repairs = this.#repairs.filter((time) => time > now - PROMPT_WITHIN_MS);
    const last = this.#repairs.at(-1);
    if (last !== undefined && this.#repairs.length >= PROMPT_REPAIRS && now < last + SLOW_REPAIR_MS) {
      return last + SLOW_REPAIR_MS - now;
    }
    this.#repairs.push(now);
    onRepaired?.();
    const observed = this.#observed;
    logger.warn(
      { configuration: CONFIGURATION_NAME, by: observed && lastOtherManager(observed), repairs: this.#repairs.length },
      observed === undefined ? 'the webhook configuration was deleted' : 'the webhook configuration was changed',
    );
    return 0;
  }

  /** Resolves with false if somebody wrote in between. */
  async #write(desired: WebhookConfiguration): Promise<boolean> {
    const { client, logger } = this.#options;
    let written = await client.apply<WebhookConfiguration>(RESOURCE, desired, { fieldManager: FIELD_MANAGER });
    if (!isAsDesired(written, desired)) {
      // apply reverts fields, but not what another manager added to the lists in an entry
      const replaced = await this.#replace(withExactEntries(written, desired));
      if (replaced === undefined) return false;
      written = replaced;
    }
    this.#observed = written;
    const { ignore, fail } = namespacesIn(desired);
    logger.info({ ignore: ignore.length, fail: fail.length }, 'webhook configuration written');
    return true;
  }

  async #replace(object: WebhookConfiguration): Promise<WebhookConfiguration | undefined> {
    try {
      return await this.#options.client.replace<WebhookConfiguration>(RESOURCE, object);
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return undefined;
      throw error;
    }
  }

  #noticed(object: WebhookConfiguration | undefined, previous: WebhookConfiguration | undefined): void {
    const known = this.#observed?.metadata;
    const isLate =
      object === undefined
        ? known?.uid !== previous?.metadata.uid
        : known !== undefined && isOlder(object.metadata, known);
    if (isLate) return;
    this.#observed = object;
    this.wake();
  }
}

/**
 * Whether `a` is older: the response to our own write may come before the watch events for it and for earlier states.
 */
function isOlder(
  a: { readonly uid?: string; readonly resourceVersion?: string },
  b: { readonly uid?: string; readonly resourceVersion?: string },
): boolean {
  if (a.uid !== b.uid) return false;
  // a version that cannot be compared counts as newer
  return (compareVersions(a.resourceVersion, b.resourceVersion) ?? 0) < 0;
}
