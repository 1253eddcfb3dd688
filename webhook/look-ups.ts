/**
 * What a review asks of others before it is decided: what images start, and what ConfigMaps and Secrets hold. Both are
 * asked for at the same time; images a second time where it is an object that has a container wrapped.
 */
import type { ImageAnswer, ImageNeeds, KnownImages } from '../core/injection/images.ts';
import type { KnownSources, SourceAnswer, SourceNeeds } from '../core/injection/sources.ts';

/** Somebody who knows, or can find out. */
export interface LookUp<Needs, Known> {
  /** Of the workloads of this namespace; undefined where somebody has to be asked. */
  known(namespace: string, needs: Needs): Known | undefined;
  /**
   * Asks, and answers within the time that an admission can wait. Never rejects.
   * @param waitedMs how many milliseconds of it the review has waited for others
   */
  find(namespace: string, needs: Needs, waitedMs: number): Promise<Known>;
}

export interface LookUps {
  /** image-config/image-configs.ts */
  readonly images?: LookUp<ImageNeeds, KnownImages>;
  /** sources/sources.ts */
  readonly sources?: LookUp<SourceNeeds, KnownSources>;
}

/** What is known for one review. */
export interface Known {
  readonly images?: KnownImages;
  readonly sources?: KnownSources;
}

/** Of the result of a first look: what a better one needs. */
export interface Needed {
  readonly needs?: ImageNeeds;
  readonly sourceNeeds?: SourceNeeds;
}

/**
 * Answers what one review needs, beside what it knows: at once where that is remembered, undefined where there is nothing
 * to ask or nobody who could be asked.
 */
export type Ask = (needed: Needed, before: Known) => Known | Promise<Known> | undefined;

// Reviews that wait hold their objects in memory, all together no more than so many bytes of bodies.
const WAITING_BYTES = 8 * 2 ** 20;
const TOO_MANY_FOR_REGISTRIES: ImageAnswer = { why: 'too many reviews are waiting for registries; try again' };
const TOO_MANY: SourceAnswer = { unreadable: 'too many reviews are waiting; try again' };

/** Gives whom to ask for one review of a namespace, whose body has so many bytes. */
export function createLookUps({ images, sources }: LookUps): (namespace: string, bytes: number) => Ask {
  let waitingBytes = 0;
  const hold = async <T>(bytes: number, wait: Promise<T>): Promise<T> => {
    waitingBytes += bytes;
    return wait.finally(() => (waitingBytes -= bytes));
  };
  return (namespace, bytes) => {
    let askedAt: number | undefined;
    return ({ needs, sourceNeeds }, before) => {
      const ofImages = outlook(images, namespace, needs, () => TOO_MANY_FOR_REGISTRIES);
      const ofSources = outlook(sources, namespace, sourceNeeds, () => TOO_MANY);
      if (ofImages.find === undefined && ofSources.find === undefined) {
        const isNothing = ofImages.known === undefined && ofSources.known === undefined;
        return isNothing ? undefined : joined(before, ofImages.known, ofSources.known);
      }
      if (waitingBytes + bytes > WAITING_BYTES) {
        return joined(before, ofImages.known ?? ofImages.refusal, ofSources.known ?? ofSources.refusal);
      }
      const now = performance.now();
      const waitedMs = now - (askedAt ??= now);
      const finding = Promise.all([
        ofImages.known ?? ofImages.find?.(waitedMs),
        ofSources.known ?? ofSources.find?.(waitedMs),
      ]);
      return hold(bytes, finding).then((found) => joined(before, ...found));
    };
  };
}

/** Empty where nothing is needed, or nobody can be asked. */
interface Outlook<K> {
  readonly known?: K;
  readonly find?: (waitedMs: number) => Promise<K>;
  /** In the place of what would be found, for want of room to wait. */
  readonly refusal?: K;
}

function outlook<N, K>(
  lookUp: LookUp<N, K> | undefined,
  namespace: string,
  needs: N | undefined,
  refusal: K,
): Outlook<K> {
  if (lookUp === undefined || needs === undefined) return {};
  const known = lookUp.known(namespace, needs);
  if (known !== undefined) return { known };
  return { find: (waitedMs) => lookUp.find(namespace, needs, waitedMs), refusal };
}

/** A second question is after images that the first one did not name. */
function joined(before: Known, images: KnownImages | undefined, sources: KnownSources | undefined): Known {
  const { images: first } = before;
  return {
    ...before,
    ...(images && { images: first === undefined ? images : (image) => images(image) ?? first(image) }),
    ...(sources && { sources }),
  };
}
