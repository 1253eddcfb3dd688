import type { Clock } from '../../kube/clock.ts';
import { Informer } from '../../kube/informer.ts';
import { Listeners } from '../../kube/listeners.ts';
import { isConflict, isNotFound } from '../../kube/errors.ts';
import { equal } from '../../core/json.ts';
import { parseCertificate } from '../../core/pem.ts';
import { mark } from '../../core/marks.ts';
import { coreResource } from '../../core/resources.ts';
import type { Resource } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { PassLoop } from '../../kube/pass-loop.ts';
import type { WatchAges } from '../../kube/watch-ages.ts';
import { FIELD_MANAGER } from '../configuration/configuration.ts';
import type { Paths } from '../paths/keeper.ts';
import type { PathSet } from '../paths/rotation.ts';
import { certificatesIn, fingerprintOf, issuerOf, renewalTime, validityOf } from './inspect.ts';
import type { ServingPair, Validity } from './inspect.ts';
import { isServable, issueLeaf, leafRenewalTime } from './leaf.ts';
import { NeededAuthorities } from './needed.ts';
import type { OtherReplicas } from './needed.ts';
import { planRenewal } from './renewal.ts';
import { Settled } from './settled.ts';
import type { SettledOptions } from './settled.ts';
import { choosePair } from './serving.ts';
import { takeStep } from './step.ts';
import { askedAtAll, askedRenewal, bundleOf, decodeSet, encodeSet, SECRET_NAME } from './secret.ts';
import type { CertificateSet, Secret, StoredSet } from './secret.ts';

export interface CertificateKeeperOptions extends SettledOptions {
  readonly client: ObjectClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
  readonly watchAges?: Pick<WatchAges, 'began'>;
  /** Namespace of the Secret. */
  readonly namespace: string;
  readonly secretName?: string;
  readonly labels: Readonly<Record<string, string>>;
  /**
   * The names by which API servers call this webhook: DNS names or IP addresses; the first one becomes the common name.
   */
  readonly names: readonly string[];
  /** Whether this replica is the one that writes the Secret. */
  readonly isLeader: () => boolean;
  readonly others: OtherReplicas;
  /** Decides about the tokens in the paths of the webhook, which are in the same Secret. */
  readonly paths: Pick<Paths, 'step' | 'use' | 'remainingMs'>;
  /** Called if somebody had deleted or damaged the Secret. */
  readonly onRepaired?: () => void;
}

export interface CertificateStatus {
  /** Whether there is a certificate to serve. */
  readonly ready: boolean;
  /** The stage of the rotation of authorities. */
  readonly stage: 'None' | 'Steady' | 'Publishing' | 'Retiring';
  /** Milliseconds since the epoch, like the following ones. */
  readonly leafNotAfter?: number;
  /** From when on what is served is to be replaced. */
  readonly leafRenewAt?: number;
  readonly authorityNotAfter?: number;
  /** From when on the authority is to be replaced. */
  readonly authorityRenewAt?: number;
}

// Renewal goes by the wall clock, checked this often: timers stop while a machine is suspended.
const EVERY_MS = 60_000;
const GAP_MS = 500;

/**
 * Keeps the certificate authorities and the served certificate in a Secret. The Secret is the truth: each pass of the
 * leader reads it, does the one step that is due, writes it (the API server rejects this if somebody else was faster,
 * whose work the next pass takes over) and only then uses what it wrote. The other replicas take what is in it.
 *
 * What is served follows what is published: a certificate of another authority only when every API server trusts that.
 */
export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions;
  readonly #secretName: string;
  readonly #resource: Resource;
  readonly #loop: PassLoop;
  readonly #informer: Informer<Secret>;
  readonly #listeners = new Listeners();
  readonly #jitter: number;
  readonly #settled: Settled;
  readonly #needed: NeededAuthorities;
  readonly #hasPair = Promise.withResolvers<undefined>();
  #set: CertificateSet | undefined;
  #pair: ServingPair | undefined;
  /** Fingerprint of the authority of what is served. */
  #serves = '';
  /** What has to stay published although it is not in the Secret. */
  #kept: readonly string[] = [];
  #isWaiting = false;

  constructor(options: CertificateKeeperOptions) {
    const { client, clock, random, logger, namespace, secretName = SECRET_NAME } = options;
    this.#options = options;
    this.#settled = new Settled(options);
    this.#needed = new NeededAuthorities(options.others, options.waitMs);
    this.#secretName = secretName;
    this.#resource = coreResource('Secret', namespace);
    this.#jitter = random();
    this.#loop = new PassLoop({
      clock,
      random,
      logger,
      outages: options.outages,
      what: 'keeping the certificates',
      pass: () => this.pass(),
      everyMs: EVERY_MS,
      gapMs: GAP_MS,
    });
    this.#informer = new Informer<Secret>({
      client,
      resource: this.#resource,
      fieldSelector: `metadata.name=${secretName}`,
      clock,
      random,
      logger,
      outages: options.outages,
      watchAges: options.watchAges,
      onChange: () => this.wake(),
    });
  }

  /** Starts; resolves when there is a certificate to serve, however long that takes. */
  async start(): Promise<void> {
    this.#loop.start();
    this.#informer.start();
    await this.#hasPair.promise;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#informer.stop(), this.#loop.stop()]);
  }

  /** Call it when something that a pass looks at has changed: what is published, the other replicas, or the leader. */
  wake(): void {
    this.#loop.wake();
  }

  /** Returns the PEM of all authorities that API servers should trust; '' while none is known. */
  bundlePem(): string {
    return this.#set === undefined ? '' : bundleOf(this.#set) + this.#kept.map((pem) => `${pem}\n`).join('');
  }

  /** Returns the fingerprints (SHA-256) of the authorities in the bundle, and of the one whose certificate is served. */
  fingerprints(): { readonly authorities: readonly string[]; readonly serves: string } {
    const authorities = certificatesIn(this.bundlePem()).map(({ fingerprint256 }) => fingerprint256);
    return { authorities, serves: this.#serves };
  }

  servingPair(): ServingPair | undefined {
    return this.#pair;
  }

  /** Returns the tokens in the paths of the webhook; undefined while none are known. */
  pathSet(): PathSet | undefined {
    return this.#set?.path;
  }

  certificateStatus(): CertificateStatus {
    const set = this.#set;
    const leafNotAfter = this.#pair && validityOfPem(this.#pair.cert)?.notAfter;
    const authority = set && validityOfPem(set.current.certificate);
    return {
      ready: this.#pair !== undefined,
      stage: stageOf(set),
      ...(this.#pair !== undefined &&
        leafNotAfter !== undefined && { leafNotAfter, leafRenewAt: leafRenewalTime(this.#pair, this.#jitter) }),
      ...(authority && { authorityNotAfter: authority.notAfter, authorityRenewAt: renewalTime(authority) }),
    };
  }

  /** Calls `listener` after each change of the bundle, the served pair or the tokens; returns a function that removes it. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * One look at everything; start() runs them one after another. Resolves with the milliseconds until the next, if
   * sooner.
   */
  async pass(): Promise<number | undefined> {
    let secret: Secret | undefined;
    try {
      secret = await this.#options.client.get<Secret>(this.#resource, this.#secretName);
    } catch (error) {
      // a replica without access to its Secret can still serve
      if (this.#set !== undefined) this.#use(this.#set, await this.#leafFor(this.#set));
      throw error;
    }
    if (!this.#options.isLeader()) return await this.#follow(secret);
    const found = this.#found(secret);
    const { set: taken, renewed } = await this.#step(found, askedRenewal(secret));
    const stepped = { ...taken, path: this.#options.paths.step(found.path, askedAtAll(secret)) };
    const pair = await this.#leafFor(stepped);
    const isIssuedNow = pair !== this.#pair && pair !== stepped.leaf;
    const set = isIssuedNow || stepped.leaf === undefined ? { ...stepped, leaf: pair } : stepped;
    if (!(await this.#write(secret, set, renewed))) return 0;
    this.#use(set, pair);
    return this.#remainingMs(set);
  }

  /** Takes what the leader has written. A Secret that is gone or damaged is the leader's to repair. */
  async #follow(secret: Secret | undefined): Promise<number | undefined> {
    const stored = secret && decodeSet(secret);
    const { current } = stored ?? {};
    const set =
      stored !== undefined && current !== undefined && stored.damaged.length === 0 ? { ...stored, current } : this.#set;
    if (set === undefined) {
      if (!this.#isWaiting)
        this.#options.logger.info({ secret: this.#secretName }, 'waiting for the leader to create certificates');
      this.#isWaiting = true;
      return undefined;
    }
    this.#use(set, await this.#leafFor(set));
    return this.#remainingMs(set);
  }

  /**
   * Returns what to continue from: the Secret's content, or, if that is gone or damaged, what this replica remembers of
   * it.
   */
  #found(secret: Secret | undefined): StoredSet {
    const { logger, onRepaired } = this.#options;
    const stored = secret && decodeSet(secret);
    if (stored?.damaged.length === 0) return stored;
    // the installation may create an empty one for its labels
    const isEmpty = Object.keys(secret?.data ?? {}).length === 0;
    if (isEmpty && this.#set === undefined) return { damaged: [] };
    const line = { secret: this.#secretName, damaged: stored?.damaged, fromMemory: this.#set !== undefined };
    logger.warn(line, stored === undefined ? 'the Secret of the certificates was deleted' : 'the Secret is damaged');
    onRepaired?.();
    return this.#set === undefined ? (stored ?? { damaged: [] }) : { ...this.#set, damaged: [] };
  }

  /** Does what is due; `renewed` is the value of the annotation that was honoured by it. */
  async #step(found: StoredSet, asked: string | undefined): Promise<{ set: CertificateSet; renewed?: string }> {
    const { clock, logger, others } = this.#options;
    const now = clock.now();
    const { current, next, previous, promotedAt } = found;
    if (current !== undefined) this.#look({ ...found, current });
    const step = planRenewal(
      {
        current: current && validityOfPem(current.certificate),
        next: next && validityOfPem(next.certificate),
        previous: previous === undefined ? undefined : validityOfPem(previous),
        promotedAt,
        isNextSettled:
          next !== undefined && this.#settled.has(next.certificate) && !others.lacks(fingerprintOf(next.certificate)),
        isPreviousNeeded:
          current === undefined || previous === undefined
            ? undefined
            : this.#needed.holdsBack(fingerprintOf(previous), fingerprintOf(current.certificate), clock.elapsed()),
        isRenewalAsked: asked !== undefined,
      },
      now,
    );
    const set = await takeStep(step, found, now);
    if (step !== 'Rest') {
      const until = validityOfPem(set.current.certificate)?.notAfter;
      logger.info({ step, authorityNotAfter: iso(until) }, 'certificate authority');
    }
    const isHonoured = asked !== undefined && (step === 'Stage' || step === 'Create');
    return { set, ...(isHonoured && { renewed: asked }) };
  }

  /** Returns the pair to serve with this set, which it issues if need be. */
  async #leafFor(set: CertificateSet): Promise<ServingPair> {
    const { clock, names, logger } = this.#options;
    const now = clock.now();
    const chosen = choosePair({
      candidates: [this.#pair, set.leaf].filter((pair) => pair !== undefined),
      current: set.current.certificate,
      isSettled: this.#settled.has(set.current.certificate),
      // at the start nobody has looked at the configuration yet
      trusted: this.#settled.longerThan(set.current.certificate) ?? set.previous ?? '',
      names,
      now,
      jitter: this.#jitter,
    });
    if (chosen !== undefined) return chosen;
    const issued = await issueLeaf(set.current, names, now);
    // else each pass would issue another one
    if (!isServable(issued, set.current.certificate, names, now)) {
      throw new Error(`no certificate can be issued for the names ${names.join(', ')}`);
    }
    logger.info({ names, notAfter: iso(validityOfPem(issued.cert)?.notAfter) }, 'certificate issued');
    return issued;
  }

  /** Returns the milliseconds until the next step of a rotation may be due without anything else that happens. */
  #remainingMs({ current, next, previous }: CertificateSet): number | undefined {
    const now = this.#options.clock.elapsed();
    const settling = [current.certificate, next?.certificate].map((pem) => pem && this.#settled.inMs(pem));
    const needed = [previous, ...this.#kept].map((pem) => pem && this.#needed.remainingMs(fingerprintOf(pem), now));
    const path = this.#options.paths.remainingMs(this.#set?.path);
    const waits = [...settling, ...needed, path].filter((ms) => typeof ms === 'number' && ms > 0) as number[];
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  /** Resolves with false if another replica wrote in between. */
  async #write(secret: Secret | undefined, set: CertificateSet, renewed?: string): Promise<boolean> {
    const { client, labels } = this.#options;
    const data = encodeSet(set, secret?.data);
    if (secret !== undefined && renewed === undefined && equal(data, secret.data ?? {})) return true;
    const before = secret ?? (await this.#createEmpty());
    if (before === undefined) return false;
    const metadata = {
      ...before.metadata,
      labels: { ...before.metadata.labels, ...labels },
      ...(renewed !== undefined && {
        annotations: { ...before.metadata.annotations, [mark.renewed]: renewed },
      }),
    };
    try {
      await client.replace(this.#resource, { ...before, apiVersion: 'v1', kind: 'Secret', metadata, data });
      return true;
    } catch (error) {
      // 404: deleted in between
      if (isConflict(error) || isNotFound(error)) return false;
      throw error;
    }
  }

  /**
   * Creates the Secret without content, by a request that has its name: so the operator needs no right to create others.
   * What it holds is written then, by its version. Resolves with undefined if somebody else was faster.
   */
  async #createEmpty(): Promise<Secret | undefined> {
    const { client, labels, namespace } = this.#options;
    const metadata = { name: this.#secretName, namespace, labels };
    const empty = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata };
    const created = await client.apply<Secret>(this.#resource, empty, { fieldManager: FIELD_MANAGER });
    return Object.keys(created.data ?? {}).length === 0 ? created : undefined;
  }

  #use(set: CertificateSet, pair: ServingPair): void {
    const before = [this.bundlePem(), this.#pair?.cert, this.#set?.path];
    this.#set = set;
    this.#pair = pair;
    this.#serves = this.#authorityOf(pair, set);
    this.#look(set);
    this.#hasPair.resolve(undefined);
    this.#options.paths.use(set.path);
    if (!equal(before, [this.bundlePem(), pair.cert, set.path])) this.#listeners.notify();
  }

  /** Notes which authorities are needed now. */
  #look(set: Pick<CertificateSet, 'current' | 'next' | 'previous'>): void {
    this.#kept = this.#needed.look({
      stored: bundleOf(set),
      published: this.#options.publishedBundle() ?? '',
      ownFingerprint: this.#serves,
      now: this.#options.clock.elapsed(),
    });
  }

  /** Returns the fingerprint of the authority of a pair: one of the set, of before it, or of the published ones. */
  #authorityOf({ cert }: ServingPair, set: CertificateSet): string {
    const bundle = [bundleOf(set), this.bundlePem(), this.#options.publishedBundle() ?? ''].join('\n');
    return issuerOf(cert, bundle, this.#options.clock.now())?.fingerprint256 ?? this.#serves;
  }
}

function stageOf(set: CertificateSet | undefined): CertificateStatus['stage'] {
  if (set === undefined) return 'None';
  if (set.next !== undefined) return 'Publishing';
  return set.previous === undefined ? 'Steady' : 'Retiring';
}

function validityOfPem(pem: string): Validity | undefined {
  const certificate = parseCertificate(pem);
  return certificate && validityOf(certificate);
}

function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
