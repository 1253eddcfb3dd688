import type { Clock } from '../../kube/clock.ts';
import { certificateBlocks } from '../../core/pem.ts';
import { Listeners } from '../../kube/listeners.ts';
import type { EntryKey, WebhookConfiguration, WebhookTarget } from './configuration.ts';
import { describeTerm, excludingTerm, needsLabels, unevaluated } from './narrowing.ts';
import { publishedBundle, servedEntries } from './observed.ts';
import type { ServedEntry } from './observed.ts';

/**
 * From when the configuration is seen until every API server follows it: 20 to 150 ms were measured with API server
 * 1.37; before that it still admits without calling.
 */
export const IN_FORCE_MS = 250;

export interface PublishedOptions {
  readonly clock: Clock;
  readonly target: WebhookTarget;
  /** The operator's own namespace. */
  readonly installation: string;
  /** Returns the labels of a namespace; undefined: not known. */
  readonly labelsOf: (namespace: string) => Readonly<Record<string, string>> | undefined;
}

/** What the cluster's configuration says, and since when. */
export class Published {
  readonly #options: PublishedOptions;
  readonly #listeners = new Listeners<[namespaces: ReadonlySet<string> | undefined]>();
  /** Key: entry and namespace; value: by Clock.elapsed(). */
  readonly #namespaces = new Map<string, number>();
  /** Key: PEM; value: by Clock.elapsed(). */
  readonly #certificates = new Map<string, number>();
  /** What keeps a namespace out although it is listed. */
  #excluded: ReadonlyMap<string, string> = new Map();
  #bundle: string | undefined;
  #needsLabels = false;
  #unevaluated: string | undefined;
  /** What the listeners know. */
  #toldInForce: ReadonlySet<string> = new Set();
  #toldExcluded: ReadonlyMap<string, string> = new Map();
  #toldOfAll = '';

  constructor(options: PublishedOptions) {
    this.#options = options;
  }

  /** The bundle (PEM) in the cluster; undefined if nothing there calls this webhook. */
  get bundle(): string | undefined {
    return this.#bundle;
  }

  /** Whether somebody has added a term about the labels of namespaces. */
  get needsLabels(): boolean {
    return this.#needsLabels;
  }

  /** What somebody has added that keeps workloads out one by one, in words; undefined if there is no such thing. */
  get unevaluated(): string | undefined {
    return this.#unevaluated;
  }

  /** Takes the current configuration; returns the milliseconds until more of it is in force, if there is more. */
  look(observed: WebhookConfiguration | undefined, ownBundle: string): number | undefined {
    const now = this.#options.clock.elapsed();
    const [authority = ''] = certificateBlocks(ownBundle);
    const served = observed === undefined ? {} : servedEntries(observed, this.#options, authority);
    this.#lookAtNamespaces(Object.entries(served) as [EntryKey, ServedEntry][], now);
    this.#bundle = observed && publishedBundle(observed);
    // without any entry nothing distrusts us: the next one will be written with the whole bundle
    const trusted = observed === undefined ? '' : (this.#bundle ?? ownBundle);
    keepSince(this.#certificates, certificateBlocks(trusted), now);
    return this.#tell(now);
  }

  /** Whether that entry has been sending that namespace here for long enough. */
  isInForce(entry: EntryKey, namespace: string): boolean {
    const since = this.#namespaces.get(`${entry}/${namespace}`);
    return since !== undefined && this.#options.clock.elapsed() >= since + IN_FORCE_MS;
  }

  /** Returns what somebody has added that keeps this namespace out, such as `control-plane NotIn [true]`. */
  excludedBy(namespace: string): string | undefined {
    return this.#excluded.get(namespace);
  }

  /**
   * Returns since when (milliseconds by Clock.elapsed()) every bundle that API servers trust has included this
   * certificate.
   */
  since(certificatePem: string): number | undefined {
    return this.#certificates.get(certificatePem.trim());
  }

  /**
   * Calls `listener` after changes, with the namespaces for which `isInForce` or `excludedBy` return something else;
   * undefined: anything may be different, also `since` and `unevaluated`. Returns a function that removes it.
   */
  onChange(listener: (namespaces: ReadonlySet<string> | undefined) => void): () => void {
    return this.#listeners.add(listener);
  }

  #lookAtNamespaces(served: readonly [EntryKey, ServedEntry][], now: number): void {
    const keys: string[] = [];
    const excluded = new Map<string, string>();
    for (const [entry, { namespaces, narrowing }] of served) {
      const isByLabels = needsLabels(narrowing);
      for (const namespace of namespaces) {
        const labels = isByLabels ? this.#options.labelsOf(namespace) : undefined;
        const term = excludingTerm(narrowing, namespace, labels);
        if (term !== undefined) excluded.set(namespace, describeTerm(term));
        // while its labels are not known, nobody can say that it is sent here
        else if (!isByLabels || labels !== undefined) keys.push(`${entry}/${namespace}`);
      }
    }
    keepSince(this.#namespaces, keys, now);
    this.#excluded = excluded;
    const narrowings = served.map(([, { narrowing }]) => narrowing);
    this.#needsLabels = narrowings.some(needsLabels);
    this.#unevaluated = narrowings.map(unevaluated).find((text) => text !== undefined);
  }

  /** Tells the listeners; returns the milliseconds until more is in force, if there is more. */
  #tell(now: number): number | undefined {
    const inForce = new Set<string>();
    let youngest = Infinity;
    for (const [key, since] of this.#namespaces) {
      if (now >= since + IN_FORCE_MS) inForce.add(key);
      else youngest = Math.min(youngest, since + IN_FORCE_MS - now);
    }
    const changed = new Set([
      ...differences(this.#toldInForce, inForce).map((key) => key.slice(key.indexOf('/') + 1)),
      ...differencesOf(this.#toldExcluded, this.#excluded),
    ]);
    const ofAll = JSON.stringify([[...this.#certificates.keys()], this.#unevaluated]);
    const isAll = ofAll !== this.#toldOfAll;
    this.#toldInForce = inForce;
    this.#toldExcluded = this.#excluded;
    this.#toldOfAll = ofAll;
    if (isAll) this.#listeners.notify(undefined);
    else if (changed.size > 0) this.#listeners.notify(changed);
    return youngest === Infinity ? undefined : youngest;
  }
}

/** Returns what is in one of the two alone. */
function differences(a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] {
  return [...[...a].filter((key) => !b.has(key)), ...[...b].filter((key) => !a.has(key))];
}

/** Returns the keys that have another value, or one at all, in one of the two. */
function differencesOf(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): readonly string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
}

/** Adds new keys with the current time, and removes those that are gone. */
function keepSince(map: Map<string, number>, keys: readonly string[], now: number): void {
  const present = new Set(keys);
  for (const key of map.keys()) if (!present.has(key)) map.delete(key);
  for (const key of present) if (!map.has(key)) map.set(key, now);
}
