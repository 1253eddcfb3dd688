import type { Clock } from '../../kube/clock.ts';
import { Informer } from '../../kube/informer.ts';
import { Listeners } from '../../kube/listeners.ts';
import { isConflict, isNotFound } from '../../kube/errors.ts';
import { equal } from '../../core/json.ts';
import { parseCertificate } from '../../core/pem.ts';
import { coreResource } from '../../core/resources.ts';
import type { Resource } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { PassLoop } from '../../kube/pass-loop.ts';
import { isTrusted, validityOf } from './inspect.ts';
import type { ServingPair, Validity } from './inspect.ts';
import { isServable, issueLeaf, leafRenewalTime } from './leaf.ts';
import { planRenewal } from './renewal.ts';
import { takeStep } from './step.ts';
import { bundleOf, decodeSet, encodeSet } from './secret.ts';
import type { CertificateSet, Secret, StoredSet } from './secret.ts';

export interface CertificateKeeperOptions {
  readonly client: ObjectClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
  /** Namespace of the Secret. */
  readonly namespace: string;
  readonly secretName?: string;
  readonly labels: Readonly<Record<string, string>>;
  /**
   * The names by which API servers call this webhook: DNS names or IP addresses; the first one becomes the common name.
   */
  readonly names: readonly string[];
  /**
   * Returns since when (milliseconds since the epoch) the cluster's configuration has had this certificate; undefined
   * if it does not.
   */
  readonly publishedSince: (certificatePem: string) => number | undefined;
  /** Called if somebody had deleted or damaged the Secret. */
  readonly onRepaired?: () => void;
}

export interface CertificateStatus {
  /** Whether there is a certificate to serve. */
  readonly ready: boolean;
  /** The stage of the rotation of authorities. */
  readonly stage: 'None' | 'Steady' | 'Publishing' | 'Retiring';
  readonly leafNotAfter?: number;
  readonly authorityNotAfter?: number;
}

export const SECRET_NAME = 'vault-injection-operator-webhook';

// Renewal goes by the wall clock, checked this often: timers stop while a machine is suspended.
const EVERY_MS = 60_000;
const GAP_MS = 500;
// How often to check while waiting for the configuration to be published.
const WAITING_MS = 2_000;

/**
 * Keeps the certificate authorities and the served certificate in a Secret. The Secret is the truth: each pass reads
 * it, does the one step that is due, writes it (the API server rejects this if another replica was faster, whose work
 * the next pass takes over) and only then uses what it wrote.
 */
export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions;
  readonly #secretName: string;
  readonly #resource: Resource;
  readonly #loop: PassLoop;
  readonly #informer: Informer<Secret>;
  readonly #listeners = new Listeners();
  readonly #jitter: number;
  readonly #hasPair = Promise.withResolvers<undefined>();
  #set: CertificateSet | undefined;
  #pair: ServingPair | undefined;

  constructor(options: CertificateKeeperOptions) {
    const { client, clock, random, logger, namespace, secretName = SECRET_NAME } = options;
    this.#options = options;
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

  /** Call it when something that a pass looks at has changed, such as what is published. */
  wake(): void {
    this.#loop.wake();
  }

  /** Returns the PEM of all authorities that API servers should trust; '' while none is known. */
  bundlePem(): string {
    return this.#set === undefined ? '' : bundleOf(this.#set);
  }

  servingPair(): ServingPair | undefined {
    return this.#pair;
  }

  certificateStatus(): CertificateStatus {
    const set = this.#set;
    const leafNotAfter = this.#pair && validityOfPem(this.#pair.cert)?.notAfter;
    const authorityNotAfter = set && validityOfPem(set.current.certificate)?.notAfter;
    return {
      ready: this.#pair !== undefined,
      stage: stageOf(set),
      ...(leafNotAfter !== undefined && { leafNotAfter }),
      ...(authorityNotAfter !== undefined && { authorityNotAfter }),
    };
  }

  /** Calls `listener` after each change of the bundle or the served pair; returns a function that removes it. */
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
    const found = this.#found(secret);
    const stepped = await this.#step(found);
    const pair = await this.#leafFor(stepped);
    const isIssuedNow = pair !== this.#pair && pair !== stepped.leaf;
    const set = isIssuedNow || stepped.leaf === undefined ? { ...stepped, leaf: pair } : stepped;
    if (!(await this.#write(secret, set))) return 0;
    this.#use(set, pair);
    const isWaiting =
      set.next !== undefined || !isTrusted(pair.cert, set.current.certificate, this.#options.clock.now());
    return isWaiting ? WAITING_MS : undefined;
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

  async #step(found: StoredSet): Promise<CertificateSet> {
    const { clock, logger, publishedSince } = this.#options;
    const now = clock.now();
    const { current, next, previous, promotedAt } = found;
    const step = planRenewal(
      {
        current: current && validityOfPem(current.certificate),
        next: next && validityOfPem(next.certificate),
        previous: previous === undefined ? undefined : validityOfPem(previous),
        promotedAt,
        nextPublishedSince: next && publishedSince(next.certificate),
      },
      now,
    );
    const stepped = await takeStep(step, found, now);
    if (step !== 'Rest') {
      const until = validityOfPem(stepped.current.certificate)?.notAfter;
      logger.info({ step, authorityNotAfter: iso(until) }, 'certificate authority');
    }
    return stepped;
  }

  /**
   * Returns the pair to serve with this set: the served one as long as it is valid, else the Secret's, else a new one.
   */
  async #leafFor(set: CertificateSet): Promise<ServingPair> {
    const { clock, names, publishedSince, logger } = this.#options;
    const now = clock.now();
    const candidates = [this.#pair, set.leaf].filter((pair) => pair !== undefined);
    const isGood = (pair: ServingPair): boolean =>
      isServable(pair, set.current.certificate, names, now) && now < leafRenewalTime(pair, this.#jitter);
    const good = candidates.find(isGood);
    if (good !== undefined) return good;
    const { previous } = set;
    if (previous !== undefined && publishedSince(set.current.certificate) === undefined) {
      // nobody trusts the current authority yet
      const trusted = candidates.find((pair) => isServable(pair, previous, names, now));
      if (trusted !== undefined) return trusted;
    }
    const issued = await issueLeaf(set.current, names, now);
    // else each pass would issue another one
    if (!isServable(issued, set.current.certificate, names, now)) {
      throw new Error(`no certificate can be issued for the names ${names.join(', ')}`);
    }
    logger.info({ names, notAfter: iso(validityOfPem(issued.cert)?.notAfter) }, 'certificate issued');
    return issued;
  }

  /** Resolves with false if another replica wrote in between. */
  async #write(secret: Secret | undefined, set: CertificateSet): Promise<boolean> {
    const { client, labels, namespace } = this.#options;
    const data = encodeSet(set, secret?.data);
    if (secret !== undefined && equal(data, secret.data ?? {})) return true;
    const metadata = {
      ...secret?.metadata,
      name: this.#secretName,
      namespace,
      labels: { ...secret?.metadata.labels, ...labels },
    };
    const object = { type: 'Opaque', ...secret, apiVersion: 'v1', kind: 'Secret', metadata, data };
    try {
      await (secret === undefined ? client.create(this.#resource, object) : client.replace(this.#resource, object));
      return true;
    } catch (error) {
      // 404 on a replace: deleted in between; on a create: the namespace does not exist, so waiting may help
      if (isConflict(error) || (isNotFound(error) && secret !== undefined)) return false;
      throw error;
    }
  }

  #use(set: CertificateSet, pair: ServingPair): void {
    const bundleBefore = this.bundlePem();
    const isChanged = pair.cert !== this.#pair?.cert;
    this.#set = set;
    this.#pair = pair;
    this.#hasPair.resolve(undefined);
    if (isChanged || bundleBefore !== this.bundlePem()) this.#listeners.notify();
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
