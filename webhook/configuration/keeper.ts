import type { Clock } from '../../kube/clock.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { Informer } from '../../kube/informer.ts';
import { isNotFound, isRefusal } from '../../kube/errors.ts';
import { Listeners } from '../../kube/listeners.ts';
import { isOlderState } from '../../core/resource-version.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import { buildConfiguration, CONFIGURATION_NAME, CONFIGURATIONS, excludedNamespaces } from './configuration.ts';
import type { OwnerReference, WebhookConfiguration, WebhookTarget } from './configuration.ts';
import { SECRET_NAME } from '../certificates/secret.ts';
import { untrustedAuthorities } from './external.ts';
import type { Departure } from './departure.ts';
import { DrainWatch } from './drain-watch.ts';
import type { NamespaceLabels } from './namespace-labels.ts';
import { bothOf, namespacesOf, NOTHING } from './groups.ts';
import { NamespaceLedger } from './namespaces.ts';
import type { NamespacePolicies } from './namespaces.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { isAsDesired, lastOtherManager, otherInstallation, ownEntries, sentBy, withNarrowing } from './observed.ts';
import type { InjectedCopy } from './injected-workloads.ts';
import type { Owner } from './owner.ts';
import { PassLoop } from '../../kube/pass-loop.ts';
import type { WatchAges } from '../../kube/watch-ages.ts';
import type { Published } from './published.ts';
import { sendingOf } from './sending.ts';
import type { Sending } from './sending.ts';
import { storeConfiguration } from './store.ts';
import { kindsIn } from './workload-rules.ts';
import { RefusedKinds } from './refused-kinds.ts';
import { Repairs } from './repairs.ts';
import { UNGUARDED } from '../paths/path.ts';

export interface ConfigurationKeeperOptions {
  readonly client: ObjectClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
  readonly watchAges?: Pick<WatchAges, 'began'>;
  readonly target: WebhookTarget;
  /** All kinds that the operator knows; default: those that are built in. */
  readonly table?: Kinds | undefined;
  /** The operator's own namespace, which names its installation. */
  readonly installation: string;
  /** What the cluster's configuration says: this keeper updates it, others read it too. */
  readonly published: Published;
  /** The labels of the configuration itself. */
  readonly labels: Readonly<Record<string, string>>;
  /** Returns the PEM of the authorities to publish, the one in use first; '' while there is none yet. */
  readonly bundlePem: () => string;
  /** Returns the token to publish in the paths, once `published` has seen the configuration; undefined: none yet. */
  readonly pathToken: () => string | undefined;
  /** Where `published` gets the labels of namespaces from: runs only while they are needed. */
  readonly namespaceLabels: Pick<NamespaceLabels, 'start' | 'stop'>;
  /** Whether this replica leads: the others only look. */
  readonly mayWrite: () => boolean;
  /** Whether API servers have reached the webhook: before, no workload is refused because they do not. */
  readonly isReached: () => boolean;
  /** Whether what setPolicies() was told is as new as what any replica knows. */
  readonly areFresh: () => boolean;
  /** What is known of injected workloads without a list. */
  readonly injected?: InjectedCopy;
  /** The installer keeps the configuration: it is only read. Default: false. */
  readonly isExternal?: boolean;
  /** What the configuration is removed with; left out: nothing. */
  readonly owner?: Pick<Owner, 'look' | 'referenceIn'> | undefined;
  /** Whether the installation is being removed; left out: it never is. */
  readonly departure?: Pick<Departure, 'state' | 'confirm' | 'describe' | 'onChange'> | undefined;
  /** Called if somebody else had changed or deleted the configuration. */
  readonly onRepaired?: () => void;
}

const EVERY_MS = 60_000;
// A burst of policies (kubectl apply -f of a directory) becomes a few writes.
const GAP_MS = 100;
// At most so often it is written: 300 namespaces that arrive at ten per second are 30 writes. Each of them makes every
// API server build its webhooks again.
const WRITE_GAP_MS = 1_000;
// How soon a leader looks again whether its policies are fresh.
const UNFRESH_MS = 2_000;
// How soon it looks again whether an installation that was being removed has come back: rights that are applied again.
const GONE_MS = 5_000;

/**
 * Writes the MutatingWebhookConfiguration whenever it is not as it should be, and knows which parts are in force. Only
 * the leader writes; and nobody does while the configuration belongs to another installation.
 */
export class ConfigurationKeeper {
  readonly #options: ConfigurationKeeperOptions;
  readonly #ledger: NamespaceLedger;
  readonly #published: Published;
  readonly #drains: DrainWatch;
  readonly #loop: PassLoop;
  readonly #informer: Informer<WebhookConfiguration>;
  #observed: WebhookConfiguration | undefined;
  #isRemembered = false;
  /** It was the leader, and knew all policies, in the last pass. */
  #wasSure = false;
  /** What was last seen in place: any difference from it was made by somebody else. */
  #settled = '';
  readonly #repairs: Repairs;
  readonly #refused: RefusedKinds;
  /** By Clock.elapsed(). */
  #wroteAt = -Infinity;
  /** Somebody deleted the configuration of another installation: this one takes its place. */
  #isTakingOver = false;
  readonly #keeping = new Listeners();
  /** What the log says already. */
  #said: {
    readonly foreign?: string | undefined;
    readonly unevaluated?: string | undefined;
    readonly lack?: string;
    readonly isUnguarded?: boolean;
  } = {};

  constructor(options: ConfigurationKeeperOptions) {
    const { client, clock, random, logger, target } = options;
    this.#options = options;
    this.#ledger = new NamespaceLedger(excludedNamespaces(target), options.table);
    this.#published = options.published;
    this.#repairs = new Repairs(clock);
    this.#refused = new RefusedKinds({ client, clock, logger });
    this.#drains = new DrainWatch({
      client,
      clock,
      random,
      logger,
      ledger: this.#ledger,
      table: options.table,
      ...(options.injected === undefined ? {} : { copy: options.injected }),
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
      resource: CONFIGURATIONS,
      fieldSelector: `metadata.name=${CONFIGURATION_NAME}`,
      clock,
      random,
      logger,
      outages: options.outages,
      watchAges: options.watchAges,
      onChange: (_, object, previous) => this.#noticed(object, previous),
      onSynced: () => {
        this.#keeping.notify();
        this.wake();
      },
    });
    options.departure?.onChange(() => {
      this.#keeping.notify();
      this.wake();
    });
  }

  start(): void {
    this.#informer.start();
    this.#loop.start();
    if (this.#options.isExternal !== true) this.#drains.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#informer.stop(), this.#loop.stop(), this.#drains.stop()]);
    await this.#options.namespaceLabels.stop();
  }

  /** Sets what all policies name now. Nothing is written before the first call. */
  setPolicies(policies: NamespacePolicies): void {
    this.#ledger.setPolicies(policies, this.#options.clock.elapsed());
    this.#drains.wake();
    this.wake();
  }

  /** Notes that an admission restored a workload in this namespace. */
  noteRestored(namespace: string): void {
    this.#ledger.noteRestored(namespace, this.#options.clock.elapsed());
    this.#drains.wake();
  }

  /** Call it when something that the configuration depends on has changed: the bundle, the leader, labels. */
  wake(): void {
    this.#loop.wake();
  }

  /**
   * Whether the API server now sends this namespace's workloads here, of all kinds that its policies name, except for
   * those that it refuses to.
   */
  programmed(namespace: string): boolean {
    const entries = [...this.#ledger.entriesOf(namespace)].filter(([kind]) => !this.refuses(kind));
    return (
      entries.length > 0 && entries.every(([kind, entry]) => this.#published.isInForce(entry, { namespace, kind }))
    );
  }

  /** Whether API servers may send workloads of a kind here; true while that is not known. */
  sends(kind: WorkloadKind): boolean {
    if (!this.#informer.synced || this.#observed === undefined) return true;
    return ownEntries(this.#observed).some(({ rules }) => kindsIn(rules, this.#options.table).includes(kind));
  }

  /** Whether the API server refuses to have this kind of the setting templates in the configuration. */
  refuses(kind: WorkloadKind): boolean {
    return this.#refused.has(kind);
  }

  /** Calls `listener` whenever refuses() returns something else for a kind. */
  onRefused(listener: () => void): void {
    this.#refused.onChange(listener);
  }

  /** Whether policies of this namespace are never programmed. */
  excludes(namespace: string): boolean {
    return excludedNamespaces(this.#options.target).includes(namespace);
  }

  /** Returns what somebody has added to the configuration that keeps this namespace out. */
  excludedByPlatform(namespace: string): string | undefined {
    return this.#published.excludedBy(namespace);
  }

  /** Returns what somebody has added to the configuration that may keep single workloads out, in words. */
  narrowedByPlatform(): string | undefined {
    return this.#published.unevaluated;
  }

  /** Returns what the configuration lacks that the installer keeps, for this namespace's policies; undefined: nothing. */
  lackingFor(namespace: string): string | undefined {
    const entries = [...this.#ledger.entriesOf(namespace)];
    const lacks = entries.map(([kind, entry]) => this.#published.lackOf(entry, { namespace, kind }));
    return lacks.find((lack) => lack !== undefined);
  }

  /**
   * Returns that the configuration belongs to another installation, and what to do, for people; undefined if it does
   * not.
   */
  foreign(): string | undefined {
    const other = this.#other();
    return (
      other &&
      `the webhook configuration belongs to the installation in namespace ${other}: uninstall one of the two, or, to ` +
        `let this one take over, kubectl delete mutatingwebhookconfiguration ${CONFIGURATION_NAME}`
    );
  }

  /** Whether this installation is known to be the one that keeps the configuration, and stays: so the one that may act. */
  get isKeeping(): boolean {
    return this.isOurs && this.#options.departure?.state === undefined;
  }

  /** Whether the configuration is known to be of no other installation: this one may say how policies are. */
  get isOurs(): boolean {
    return this.#informer.synced && this.#other() === undefined;
  }

  /** Returns that the installation is being removed, for people; undefined: it stays. */
  leaving(): string | undefined {
    return this.#options.departure?.describe();
  }

  /** Calls `listener` after changes of `isKeeping` and `isOurs`. */
  onKeeping(listener: () => void): void {
    this.#keeping.add(listener);
  }

  /**
   * One look at everything; start() runs them one after another. Resolves with the milliseconds until the next, if
   * sooner.
   */
  async pass(): Promise<number | undefined> {
    const untilMs = await this.#pass();
    const { mayWrite, areFresh } = this.#options;
    if (!mayWrite()) return untilMs;
    const soonest = Math.min(
      untilMs ?? Infinity,
      areFresh() ? Infinity : UNFRESH_MS,
      this.#refused.againInMs ?? Infinity,
    );
    return soonest === Infinity ? undefined : soonest;
  }

  async #pass(): Promise<number | undefined> {
    if (!this.#informer.synced) return undefined;
    const caBundle = this.#options.bundlePem();
    this.#sayWhoKeepsIt();
    if (this.#options.departure?.state === 'NamespaceDeleted') await this.#remove();
    if (!this.isKeeping) {
      this.#settled = '';
      return this.#look(caBundle);
    }
    if (this.#options.isExternal === true) return this.#lookAtExternal(caBundle);
    this.#remember();
    const asked = this.#ledger.assignment();
    if (asked === undefined || caBundle === '') return undefined;
    // which token is published depends on the one that is
    this.#look(caBundle);
    const { target, installation, table, labels, mayWrite, pathToken, isReached, areFresh } = this.#options;
    const token = pathToken();
    if (token === undefined) return undefined;
    const [observed, isTakingOver] = [this.#observed, this.#isTakingOver];
    const sent = sendingOf({ asked, observed, isTakingOver, isReached: isReached(), areFresh: areFresh(), table });
    const input = { target, installation, caBundle, token, table, labels };
    const build = (of: Sending, owner?: OwnerReference): WebhookConfiguration =>
      buildConfiguration({ ...input, sent: of, owner });
    if (mayWrite()) await this.#refused.lookAgain(sent, build);
    const allowed = this.#refused.without(sent);
    const desired = await this.#desired((owner) => build(allowed, owner));
    if (desired === undefined) return Math.min(this.#look(caBundle) ?? GONE_MS, GONE_MS);
    if (!isAsDesired(this.#observed, desired)) {
      const untilMs = this.#look(caBundle);
      if (!mayWrite()) return untilMs;
      const waitMs = this.#beforeWriting(desired);
      if (waitMs > 0) return waitMs;
      const isWritten = await this.#write(desired).catch(async (error: unknown) => {
        if (!isRefusal(error) || !(await this.#refused.find(sent, build))) throw error;
        return false;
      });
      if (!isWritten) return 0;
    }
    this.#settled = JSON.stringify(desired);
    return this.#look(caBundle);
  }

  /**
   * Returns what there should be; undefined if nothing may be written, because the installation is being removed. What
   * decides about that is asked again before each write: else the configuration would come back after its removal.
   */
  async #desired(
    build: (owner: OwnerReference | undefined) => WebhookConfiguration,
  ): Promise<WebhookConfiguration | undefined> {
    const { departure, mayWrite } = this.#options;
    if (!mayWrite()) return build(undefined);
    const known = await this.#owner(false);
    if (known !== 'Gone' && isAsDesired(this.#observed, build(known))) return build(known);
    const owner = await this.#owner(true);
    return owner === 'Gone' || (await departure?.confirm()) !== undefined ? undefined : build(owner);
  }

  async #owner(isFresh: boolean): Promise<OwnerReference | 'Gone' | undefined> {
    const { owner } = this.#options;
    const ownership = await owner?.look(this.#observed, isFresh);
    switch (ownership?.is) {
      case 'Present':
        return ownership.reference;
      case 'Gone':
        return 'Gone';
      case 'Unreadable':
        return owner?.referenceIn(this.#observed);
      case 'None':
      case undefined:
        return undefined;
    }
  }

  /** Whichever replica sees it first: soon nobody answers reviews, and the tokens of all replicas are void. */
  async #remove(): Promise<void> {
    const { client, logger, isExternal } = this.#options;
    if (isExternal === true || this.#observed === undefined || this.#other() !== undefined) return;
    await client.delete(CONFIGURATIONS, CONFIGURATION_NAME).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    this.#observed = undefined;
    logger.warn('the namespace of the operator is being deleted, so the webhook configuration has been removed');
  }

  /** Returns the namespace of another installation to which the configuration belongs. */
  #other(): string | undefined {
    if (this.#observed === undefined || this.#isTakingOver) return undefined;
    return otherInstallation(this.#observed, this.#options.installation);
  }

  #look(caBundle: string): number | undefined {
    const { namespaceLabels, logger } = this.#options;
    const untilMs = this.#published.look(this.#observed, caBundle);
    if (this.#published.needsLabels) namespaceLabels.start();
    else void namespaceLabels.stop();
    const { unevaluated } = this.#published;
    if (unevaluated !== this.#said.unevaluated && unevaluated !== undefined) {
      logger.warn(
        { configuration: CONFIGURATION_NAME, by: this.#observed && lastOtherManager(this.#observed), unevaluated },
        'somebody has added terms to the webhook configuration by which API servers leave single workloads out',
      );
    }
    this.#said = { ...this.#said, unevaluated };
    return untilMs;
  }

  /** Looks at what the installer keeps, and says in the log what it lacks. */
  #lookAtExternal(caBundle: string): number | undefined {
    const untilMs = this.#look(caBundle);
    const { ignore, fail } = this.#ledger.assignment() ?? { ignore: NOTHING, fail: NOTHING };
    const untrusted = untrustedAuthorities(this.#observed, caBundle);
    const lack =
      [...namespacesOf(fail), ...namespacesOf(ignore)]
        .map((namespace) => this.lackingFor(namespace))
        .find((text) => text !== undefined) ??
      (untrusted > 0
        ? `${untrusted} of the CAs in the Secret ${SECRET_NAME} are not in each caBundle of the webhook configuration`
        : '');
    if (lack !== (this.#said.lack ?? '') && lack !== '')
      this.#options.logger.error({ configuration: CONFIGURATION_NAME }, lack);
    const isUnguarded = this.#published.tokens.includes(UNGUARDED);
    if (isUnguarded && this.#said.isUnguarded !== true)
      this.#options.logger.warn(
        { configuration: CONFIGURATION_NAME },
        `paths in the webhook configuration have no token: copy path-token of the Secret ${SECRET_NAME} into them`,
      );
    this.#said = { ...this.#said, lack, isUnguarded };
    return untilMs;
  }

  #sayWhoKeepsIt(): void {
    const foreign = this.foreign();
    if (foreign === this.#said.foreign) return;
    this.#said = { ...this.#said, foreign };
    if (foreign === undefined) this.#options.logger.info('the webhook configuration belongs to this installation');
    else this.#options.logger.error(`this operator writes nothing: ${foreign}`);
  }

  /**
   * Takes what may have injected workloads from the configuration of before this process; and again when
   * this one begins to decide, because another replica may have met policies that this one never saw.
   */
  #remember(): void {
    const isSure = this.#options.mayWrite() && this.#options.areFresh();
    const begins = isSure && !this.#wasSure;
    this.#wasSure = isSure;
    if (this.#isRemembered && !begins) return;
    this.#isRemembered = true;
    if (this.#observed === undefined) {
      this.#drains.sweep();
      return;
    }
    const { ignore, fail } = sentBy(this.#observed, this.#options.table);
    this.#ledger.remember(bothOf(ignore, fail), this.#options.clock.elapsed());
    this.#drains.wake();
  }

  /** Notes a repair; returns the milliseconds to wait before it, or before any write. */
  #beforeWriting(desired: WebhookConfiguration): number {
    const { clock, logger, onRepaired } = this.#options;
    const restMs = this.#wroteAt + WRITE_GAP_MS - clock.elapsed();
    if (restMs > 0 || this.#settled !== JSON.stringify(desired)) return restMs;
    const waitMs = this.#repairs.note();
    if (waitMs > 0) return waitMs;
    onRepaired?.();
    const observed = this.#observed;
    logger.warn(
      { configuration: CONFIGURATION_NAME, by: observed && lastOtherManager(observed), repairs: this.#repairs.recent },
      observed === undefined ? 'the webhook configuration was deleted' : 'the webhook configuration was changed',
    );
    return 0;
  }

  /** Resolves with false if somebody wrote in between. */
  async #write(desired: WebhookConfiguration): Promise<boolean> {
    const { client, clock, logger } = this.#options;
    this.#wroteAt = clock.elapsed();
    // what another installation has added to its selectors is not for this one
    const object = this.#isTakingOver ? desired : withNarrowing(desired, this.#observed);
    const written = await storeConfiguration(client, object, desired);
    if (written === undefined) return false;
    this.#isTakingOver = false;
    this.#observed = written;
    const { ignore, fail } = sentBy(desired, this.#options.table);
    logger.info({ ignore: ignore.size, fail: fail.size }, 'webhook configuration written');
    return true;
  }

  #noticed(object: WebhookConfiguration | undefined, previous: WebhookConfiguration | undefined): void {
    const known = this.#observed?.metadata;
    const isLate =
      object === undefined
        ? known?.uid !== previous?.metadata.uid
        : known !== undefined && isOlderState(object.metadata, known);
    if (isLate) return;
    const wasKeeping = this.isKeeping;
    // deleting the object of another installation is how somebody asks this one to take over, even if that one has
    // written it again by now
    if (this.#other() !== undefined && object?.metadata.uid !== known?.uid) this.#isTakingOver = true;
    this.#observed = object;
    if (object !== undefined && otherInstallation(object, this.#options.installation) === undefined) {
      this.#isTakingOver = false;
    }
    if (this.isKeeping !== wasKeeping) this.#keeping.notify();
    this.wake();
  }
}
