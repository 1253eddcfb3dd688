/**
 * A cache of the entrypoints of images. An image is cached for those who may pull it: for everybody if its registry
 * needs no credentials (or accepted the operator's own), else for pods of that namespace that pull with the same
 * secrets. Anyone else needs a look-up with their own credentials.
 */
import { hash } from 'node:crypto';
import type { Clock } from '../../kube/clock.ts';
import type { EntryPoint, ImageAnswer, ImageNeeds, KnownImages } from '../../core/injection/images.ts';
import { credentialsFor } from './docker-config.ts';
import type { KeyringEntry } from './docker-config.ts';
import { ImageFailure } from './failure.ts';
import { Lru } from '../lru.ts';
import type { ImageMetrics, LookUpResult } from './metrics.ts';
import type { Puller, ReadPullSecrets } from './pull-secrets.ts';
import { parseReference } from './reference.ts';
import type { ImageReference } from './reference.ts';
import type { Candidate, Candidates, RegistryClient } from './registry.ts';
import { slots } from '../../kube/slots.ts';

export interface ImageConfigsOptions {
  readonly registry: Pick<RegistryClient, 'lookUp'>;
  readonly pullSecrets: ReadPullSecrets;
  /** Reads the operator's own Docker configuration each time: cloud credentials live for hours. */
  readonly ownEntries: () => Promise<readonly KeyringEntry[]>;
  readonly metrics: ImageMetrics;
  readonly clock: Clock;
}

// ENTRYPOINT and CMD and a little more for each image: thousands of usual ones, of 0.1 to 1 kB.
const MEMORY_BYTES = 8 * 2 ** 20;
const BYTES_PER_ENTRY = 200;
const BYTES_PER_WORD = 32;
const MOST_NAMES = 8192;
// How late a moved tag may be noticed. Pods of a Deployment get the new image only when they are replaced.
const FRESH_MS = 300_000;
// A user who pushes the image, or fixes the pull secret, and applies again must not get an outdated answer.
const FAILURE_MS = 10_000;
// After a failed revalidation: how much longer the known answer counts before the next one.
const KEPT_MS = 30_000;
// For one look-up. Longer than an admission waits, so that the next one finds the result.
const LOOK_UP_MS = 15_000;
// A registry that says nothing keeps a slot for all of that time: there are slots enough for a dozen such namespaces.
const SLOTS = { active: 64, activeOfGroup: 4, waiting: 256 };

interface Remembered {
  readonly digest: string;
  /** By Clock.elapsed(); Infinity for a digest that everybody may pull. */
  readonly freshUntil: number;
}

interface Failed {
  readonly answer: ImageAnswer;
  /** By Clock.elapsed(). */
  readonly until: number;
}

export class ImageConfigs {
  readonly #options: ImageConfigsOptions;
  readonly #entryPoints = new Lru<EntryPoint>(MEMORY_BYTES, weigh);
  readonly #names = new Lru<Remembered>(MOST_NAMES);
  readonly #failures = new Lru<Failed>(MOST_NAMES);
  readonly #flights = new Map<string, Promise<ImageAnswer>>();
  readonly #slots = slots(SLOTS, tooMany);

  constructor(options: ImageConfigsOptions) {
    this.#options = options;
    options.metrics.watchSize(() => this.#entryPoints.size);
  }

  /** Returns what is known without a request; undefined if one of the images has to be looked up. */
  known(namespace: string, needs: ImageNeeds): KnownImages | undefined {
    const puller = { ...needs, namespace };
    const answers = new Map<string, ImageAnswer>();
    for (const image of needs.images) {
      const answer = this.#invalid(image) ?? this.#fresh(keysOf(puller, image));
      if (answer === undefined) return undefined;
      answers.set(image, answer);
    }
    for (let asked = 0; asked < answers.size; asked++) this.#count('Remembered');
    return (image) => answers.get(image);
  }

  /**
   * Looks up what is not known, and resolves within `waitMs`: if the registry takes longer, with what was known before,
   * or with why nothing is. The look-up continues, so that the next caller need not wait. Never rejects. To warm the
   * cache, ask for one workload after the other: look-ups share few slots with admission.
   */
  async find(namespace: string, needs: ImageNeeds, waitMs: number): Promise<KnownImages> {
    const puller = { ...needs, namespace };
    const over = new AbortController();
    const deadline = this.#options.clock.sleep(waitMs, over.signal);
    const found = await Promise.all(
      needs.images.map(async (image) => {
        const inTime = await Promise.race([this.#answer(puller, image), deadline]);
        return [image, inTime ?? this.#late(puller, image, waitMs)] as const;
      }),
    );
    over.abort();
    const answers = new Map(found);
    return (image) => answers.get(image);
  }

  /** Nothing is asked or remembered about a name that is none: it is quickly told again. */
  #invalid(image: string): ImageAnswer | undefined {
    if (parseReference(image) !== undefined) return undefined;
    this.#count('NotAnImage');
    return { why: 'not a valid image name' };
  }

  #answer(puller: Puller, image: string): ImageAnswer | Promise<ImageAnswer> {
    const invalid = this.#invalid(image);
    if (invalid !== undefined) return invalid;
    const keys = keysOf(puller, image);
    const fresh = this.#fresh(keys);
    if (fresh !== undefined) {
      this.#count('Remembered');
      return fresh;
    }
    const underWay = this.#flights.get(keys.own);
    if (underWay !== undefined) return underWay;
    const flight = this.#lookUp(puller, image, keys).finally(() => this.#flights.delete(keys.own));
    this.#flights.set(keys.own, flight);
    return flight;
  }

  #fresh(keys: Keys): ImageAnswer | undefined {
    const now = this.#options.clock.elapsed();
    const remembered = this.#remembered(keys);
    if (remembered !== undefined && remembered.freshUntil > now) return remembered.entryPoint;
    const failed = this.#failures.get(keys.own);
    return failed !== undefined && failed.until > now ? failed.answer : undefined;
  }

  /** However old. */
  #remembered({ shared, own }: Keys): (Remembered & { key: string; entryPoint: EntryPoint }) | undefined {
    for (const key of [shared, own]) {
      const name = this.#names.get(key);
      const entryPoint = name && this.#entryPoints.get(name.digest);
      if (name !== undefined && entryPoint !== undefined) return { ...name, key, entryPoint };
    }
    return undefined;
  }

  /** Time is up. */
  #late(puller: Puller, image: string, waitMs: number): ImageAnswer {
    const last = this.#remembered(keysOf(puller, image));
    this.#count(last === undefined ? 'TooSlow' : 'Kept');
    if (last !== undefined) return last.entryPoint;
    const registry = parseReference(image)?.registry ?? 'its registry';
    return { why: `${registry} did not answer within ${waitMs / 1000} s; try again` };
  }

  async #lookUp(puller: Puller, image: string, keys: Keys): Promise<ImageAnswer> {
    const secrets = lazily(() => this.#options.pullSecrets(puller));
    try {
      const reference = parseReference(image);
      if (reference === undefined) throw new ImageFailure('NotAnImage', 'not a valid image name');
      return await this.#slots(puller.namespace, () => this.#ask(reference, keys, this.#candidates(secrets.get)));
    } catch (error) {
      if (!(error instanceof ImageFailure)) throw error;
      const { unread = [] } = (await secrets.begun()) ?? {};
      return this.#failed(error, unread, keys);
    }
  }

  async #ask(reference: ImageReference, keys: Keys, candidates: Candidates): Promise<ImageAnswer> {
    const { digest, entryPoint, isShared } = await this.#options.registry.lookUp(reference, {
      namespace: keys.namespace,
      candidates,
      remembered: (known) => this.#entryPoints.get(known),
      lastDigest: this.#remembered(keys)?.digest,
      signal: AbortSignal.timeout(LOOK_UP_MS),
    });
    const isForever = isShared && reference.isPinned;
    const freshUntil = isForever ? Infinity : this.#options.clock.elapsed() + FRESH_MS;
    this.#entryPoints.set(digest, entryPoint, keys.namespace);
    this.#names.set(isShared ? keys.shared : keys.own, { digest, freshUntil }, keys.namespace);
    this.#failures.delete(keys.own);
    this.#count('Found');
    return entryPoint;
  }

  #failed(failure: ImageFailure, unread: readonly string[], keys: Keys): ImageAnswer {
    const now = this.#options.clock.elapsed();
    const last = this.#remembered(keys);
    const isPassing = ['Unreachable', 'RateLimited', 'Busy'].includes(failure.code);
    if (last !== undefined && isPassing) {
      this.#names.set(last.key, { digest: last.digest, freshUntil: now + KEPT_MS }, keys.namespace);
      this.#count('Kept');
      return last.entryPoint;
    }
    // the registry said that it does not exist, or that these credentials may not pull it
    this.#names.delete(keys.own);
    this.#names.delete(keys.shared);
    const advice = isAboutCredentials(failure) && unread.length > 0 ? { advice: adviceOn(unread) } : {};
    const answer = { why: failure.message, ...advice };
    this.#failures.set(keys.own, { answer, until: now + FAILURE_MS }, keys.namespace);
    this.#count(failure.code);
    return answer;
  }

  /**
   * The pod's credentials first, then the operator's own, as the kubelet tries pull secrets before those of its node.
   */
  #candidates(secrets: () => ReturnType<ReadPullSecrets>): Candidates {
    return async (name) => {
      const [{ entries }, own] = await Promise.all([secrets(), this.#options.ownEntries()]);
      const candidates: Candidate[] = [
        ...credentialsFor(name, entries).map((credential) => ({ credential, isShared: false })),
        ...credentialsFor(name, own).map((credential) => ({ credential, isShared: true })),
      ];
      return candidates.length > 0 ? candidates : [{ credential: undefined, isShared: true }];
    };
  }

  #count(result: LookUpResult): void {
    this.#options.metrics.lookedUp(result);
  }
}

interface Keys {
  /** For what everybody may know about the image. */
  readonly shared: string;
  /** For what this puller may know. */
  readonly own: string;
  /** Of the puller, whose share of the memory it is. */
  readonly namespace: string;
}

function keysOf({ namespace, serviceAccount, pullSecrets }: Puller, image: string): Keys {
  const puller = hash('sha256', JSON.stringify([namespace, serviceAccount, ...pullSecrets]), 'base64url');
  return { shared: image, own: `${image} ${puller}`, namespace };
}

function tooMany(): ImageFailure {
  return new ImageFailure('Busy', 'too many images are being looked up; try again');
}

function isAboutCredentials({ code }: ImageFailure): boolean {
  return code === 'Unauthorized' || code === 'NotFound';
}

/** What to do comes first: a warning is cut at 120 characters. */
function adviceOn(unread: readonly string[]): string {
  return `see docs/guides/private-registries.md: the operator could not read pull secret ${unread.join(', ')}`;
}

function weigh({ entrypoint, cmd }: EntryPoint): number {
  return [...entrypoint, ...cmd].reduce((sum, word) => sum + 2 * word.length + BYTES_PER_WORD, BYTES_PER_ENTRY);
}

/** Calls once, on the first get(); `begun` waits for that call, if there was one. */
function lazily<T>(call: () => Promise<T>): { get: () => Promise<T>; begun: () => Promise<T | undefined> } {
  let result: Promise<T> | undefined;
  return { get: () => (result ??= call()), begun: async () => result };
}
