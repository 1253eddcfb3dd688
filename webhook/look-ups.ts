/**
 * What a review looks up before it is decided: what images start, and what ConfigMaps and Secrets contain. Both at the
 * same time; images a second time if a container is wrapped because of an object.
 */
import { isKnown } from '../core/injection/images.ts';
import type { ImageAnswer, ImageNeeds, KnownImages } from '../core/injection/images.ts';
import type { KnownSources, SourceAnswer, SourceNeeds } from '../core/injection/sources.ts';
import type { SpanAttributes, SpanName } from '../core/spans.ts';
import { NO_SPAN } from '../kube/tracer.ts';
import type { Span } from '../kube/tracer.ts';

/** Something that knows, or can find out. */
export interface LookUp<Needs, Known> {
  /** Returns what is known for workloads of this namespace; undefined if a request is needed. */
  known(namespace: string, needs: Needs): Known | undefined;
  /**
   * Looks up, and resolves within the time that an admission can wait. Never rejects.
   * @param waitedMs how many milliseconds of that time the review has already waited
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

/** From the result of a first look: what a better one needs. */
export interface Needed {
  readonly needs?: ImageNeeds;
  readonly sourceNeeds?: SourceNeeds;
}

/**
 * Returns what one review needs, added to what it knows: synchronously if it is cached, undefined if there is nothing
 * to look up or no way to.
 */
export type Ask = (needed: Needed, before: Known) => Known | Promise<Known> | undefined;

// Waiting reviews keep their objects in memory: at most this many bytes of bodies in total, and of one namespace. One
// review of a namespace may always wait.
const WAITING_BYTES = 12 * 2 ** 20;
const WAITING_BYTES_OF_NAMESPACE = 2 * 2 ** 20;
const TOO_MANY_FOR_REGISTRIES: ImageAnswer = { why: 'too many reviews are waiting for registries; try again' };
const TOO_MANY: SourceAnswer = { unreadable: 'too many reviews are waiting; try again' };

/** What waiting for a look-up is called in traces, and what is said about it. */
interface Traced<Needs, Known> {
  readonly name: SpanName;
  readonly attributes: (needs: Needs, known: Known) => SpanAttributes;
}

const IMAGES: Traced<ImageNeeds, KnownImages> = {
  name: 'look up images',
  attributes: ({ images }, known) => ({
    'vaultinjection.images': images.length,
    'vaultinjection.images.unknown': images.filter((image) => !isKnown(known(image))).length,
  }),
};
const SOURCES: Traced<SourceNeeds, KnownSources> = {
  name: 'read objects',
  attributes: ({ objects }, known) => ({
    'vaultinjection.objects': objects.length,
    'vaultinjection.objects.unreadable': objects.filter((ref) => 'unreadable' in (known(ref) ?? {})).length,
  }),
};

/**
 * Returns a function that returns the Ask for one review of a namespace, whose body has `bytes` bytes. Each time that the review
 * waits is a child of its span.
 * @param onNoRoom called when a review could not wait for what it needs
 */
export function createLookUps(
  { images, sources }: LookUps,
  onNoRoom: () => void = () => undefined,
): (namespace: string, bytes: number, span?: Span) => Ask {
  const waiting = new Waiting();
  return (namespace, bytes, span = NO_SPAN) => {
    let askedAt: number | undefined;
    return ({ needs, sourceNeeds }, before) => {
      const ofImages = outlook(images, namespace, needs, () => TOO_MANY_FOR_REGISTRIES, IMAGES);
      const ofSources = outlook(sources, namespace, sourceNeeds, () => TOO_MANY, SOURCES);
      if (ofImages.find === undefined && ofSources.find === undefined) {
        const isNothing = ofImages.known === undefined && ofSources.known === undefined;
        return isNothing ? undefined : joined(before, ofImages.known, ofSources.known);
      }
      if (!waiting.hasRoom(namespace, bytes)) {
        onNoRoom();
        return joined(before, ofImages.known ?? ofImages.refusal, ofSources.known ?? ofSources.refusal);
      }
      const now = performance.now();
      const waitedMs = now - (askedAt ??= now);
      const finding = Promise.all([
        ofImages.known ?? ofImages.find?.(waitedMs, span),
        ofSources.known ?? ofSources.find?.(waitedMs, span),
      ]);
      return waiting.hold(namespace, bytes, finding).then((found) => joined(before, ...found));
    };
  };
}

/** Empty if nothing is needed, or nothing can be looked up. */
interface Outlook<K> {
  readonly known?: K;
  readonly find?: (waitedMs: number, span: Span) => Promise<K>;
  /** The answer instead of a look-up, if there is no room to wait. */
  readonly refusal?: K;
}

function outlook<N, K>(
  lookUp: LookUp<N, K> | undefined,
  namespace: string,
  needs: N | undefined,
  refusal: K,
  traced: Traced<N, K>,
): Outlook<K> {
  if (lookUp === undefined || needs === undefined) return {};
  const known = lookUp.known(namespace, needs);
  if (known !== undefined) return { known };
  const find = async (waitedMs: number, span: Span): Promise<K> => {
    const finding = lookUp.find(namespace, needs, waitedMs);
    if (!span.isRecorded) return finding;
    const wait = span.child(traced.name);
    try {
      const found = await finding;
      wait.set(traced.attributes(needs, found));
      return found;
    } finally {
      wait.end();
    }
  };
  return { find, refusal };
}

/** A second look-up is for images that the first one did not include. */
function joined(before: Known, images: KnownImages | undefined, sources: KnownSources | undefined): Known {
  const { images: first } = before;
  return {
    ...before,
    ...(images && { images: first === undefined ? images : (image) => images(image) ?? first(image) }),
    ...(sources && { sources }),
  };
}

/** How many bytes of bodies wait for look-ups. */
class Waiting {
  #bytes = 0;
  readonly #ofNamespaces = new Map<string, number>();

  hasRoom(namespace: string, bytes: number): boolean {
    const own = this.#ofNamespaces.get(namespace) ?? 0;
    return this.#bytes + bytes <= WAITING_BYTES && (own === 0 || own + bytes <= WAITING_BYTES_OF_NAMESPACE);
  }

  /** Counts the bytes until `wait` has ended; resolves or rejects as it does. */
  async hold<T>(namespace: string, bytes: number, wait: Promise<T>): Promise<T> {
    this.#add(namespace, bytes);
    return wait.finally(() => this.#add(namespace, -bytes));
  }

  #add(namespace: string, bytes: number): void {
    this.#bytes += bytes;
    const own = (this.#ofNamespaces.get(namespace) ?? 0) + bytes;
    if (own === 0) this.#ofNamespaces.delete(namespace);
    else this.#ofNamespaces.set(namespace, own);
  }
}
