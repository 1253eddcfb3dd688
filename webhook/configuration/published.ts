import type { Clock } from '../../kube/clock.ts';
import { equal } from '../../core/json.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { certificateBlocks } from '../../core/pem.ts';
import { Listeners } from '../../kube/listeners.ts';
import type { Entry, EntryKey, WebhookConfiguration, WebhookTarget } from './configuration.ts';
import type { Place } from './namespaces.ts';
import { lackOf } from './external.ts';
import { describeTerm, excludingTerm, needsLabels, unevaluated } from './narrowing.ts';
import { publishedBundle, publishedTokens, servedEntries } from './observed.ts';
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
  /** All kinds that the operator knows; default: those that are built in. */
  readonly table?: Kinds | undefined;
  /** Returns the labels of a namespace; undefined: not known. */
  readonly labelsOf: (namespace: string) => Readonly<Record<string, string>> | undefined;
  /** Returns all namespaces, if somebody else keeps the configuration and so its selectors; left out: the operator does. */
  readonly external?: (() => readonly string[]) | undefined;
}

/** Since when workloads of each kind are sent here, by Clock.elapsed(). */
type Times = ReadonlyMap<WorkloadKind, number>;

/** What entries of one sort send here, by namespace. */
type SentSince = ReadonlyMap<string, Times>;

/** In the place of a kind: none has such a name. */
const PROBE = 'probe';

const NOTHING = new Map<string, never>() as ReadonlyMap<string, never>;

/** What the cluster's configuration says, and since when. */
export class Published {
  readonly #options: PublishedOptions;
  readonly #listeners = new Listeners<[namespaces: ReadonlySet<string> | undefined]>();
  #sent: Readonly<Record<EntryKey, SentSince>> = { ignore: NOTHING, fail: NOTHING, probe: NOTHING };
  /** Key: PEM; value: by Clock.elapsed(). */
  readonly #certificates = new Map<string, number>();
  /** What keeps a namespace out although it is listed. */
  #excluded: ReadonlyMap<string, string> = NOTHING;
  /** What the last look() was given. */
  #seen: { readonly observed: WebhookConfiguration | undefined; readonly ownBundle: string } | undefined;
  #bundle: string | undefined;
  #tokens: readonly string[] = [];
  /** Since when the first of #tokens has been the only one, by Clock.elapsed(). */
  #tokenSince = 0;
  #needsLabels = false;
  #unevaluated: string | undefined;
  /** Namespaces that will be in force, with the time from when: their listeners do not know yet. */
  readonly #awaited = new Map<string, number>();
  /** What the listeners have not been told of namespaces. */
  #changed = new Set<string>();
  /** What the listeners know. */
  #toldOfAll = '';

  constructor(options: PublishedOptions) {
    this.#options = options;
  }

  /** The bundle (PEM) in the cluster; undefined if nothing there calls this webhook. */
  get bundle(): string | undefined {
    return this.#bundle;
  }

  /** The tokens in the paths by which the configuration calls this webhook: one, unless somebody has edited it. */
  get tokens(): readonly string[] {
    return this.#tokens;
  }

  /** Returns since when (milliseconds by Clock.elapsed()) all paths have had this token; undefined: they do not. */
  tokenSince(token: string): number | undefined {
    return this.#tokens.length === 1 && this.#tokens[0] === token ? this.#tokenSince : undefined;
  }

  /** Whether somebody has added a term about the labels of namespaces. */
  get needsLabels(): boolean {
    return this.#needsLabels;
  }

  /** What somebody has added that keeps workloads out one by one, in words; undefined if there is no such thing. */
  get unevaluated(): string | undefined {
    return this.#unevaluated;
  }

  /**
   * Returns what the configuration of somebody else lacks to send these workloads here through such an entry, in words;
   * undefined if nothing, or if the operator itself keeps it.
   */
  lackOf(entry: Entry, { namespace, kind }: Place): string | undefined {
    const { external, labelsOf } = this.#options;
    if (external === undefined || this.#seen === undefined || this.#seen.ownBundle === '') return undefined;
    const { observed, ownBundle } = this.#seen;
    return lackOf({ ...this.#options, observed, ownBundle, entry, namespace, kind, labels: labelsOf(namespace) });
  }

  /** Takes the current configuration; returns the milliseconds until more of it is in force, if there is more. */
  look(observed: WebhookConfiguration | undefined, ownBundle: string): number | undefined {
    const now = this.#options.clock.elapsed();
    const isSeen = this.#seen?.observed === observed && this.#seen?.ownBundle === ownBundle;
    // labels may have changed meanwhile
    if (!isSeen || this.#needsLabels) this.#take(observed, ownBundle, now);
    return this.#tell(now);
  }

  /** Whether entries of that sort have been sending these workloads here for long enough. */
  isInForce(entry: Entry, { namespace, kind }: Place): boolean {
    return this.#isLongEnough(this.#sent[entry].get(namespace)?.get(kind));
  }

  /** The same for the probe. */
  get isProbeInForce(): boolean {
    return this.#isLongEnough(this.#sent.probe.get(this.#options.installation)?.get(PROBE));
  }

  #isLongEnough(since: number | undefined): boolean {
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
   * undefined: anything may be different, also `since`, `tokens` and `unevaluated`. Returns a function that removes it.
   */
  onChange(listener: (namespaces: ReadonlySet<string> | undefined) => void): () => void {
    return this.#listeners.add(listener);
  }

  #take(observed: WebhookConfiguration | undefined, ownBundle: string, now: number): void {
    this.#seen = { observed, ownBundle };
    const [authority = ''] = certificateBlocks(ownBundle);
    const served =
      observed === undefined ? [] : servedEntries(observed, this.#options, authority, this.#options.external?.());
    this.#lookAtNamespaces(served, now);
    this.#bundle = observed && publishedBundle(observed);
    const tokens = observed === undefined ? [] : publishedTokens(observed, this.#options.target);
    if (!equal(tokens, this.#tokens)) this.#tokenSince = now;
    this.#tokens = tokens;
    // without any entry nothing distrusts us: the next one will be written with the whole bundle
    const trusted = observed === undefined ? '' : (this.#bundle ?? ownBundle);
    keepSince(this.#certificates, certificateBlocks(trusted), now);
  }

  #lookAtNamespaces(served: readonly ServedEntry[], now: number): void {
    const excluded = new Map<string, string>();
    const sent = (sort: EntryKey): SentSince =>
      this.#changedTo(this.#sent[sort], served.filter(({ key }) => key === sort), excluded, now); // prettier-ignore
    this.#sent = { ignore: sent('ignore'), fail: sent('fail'), probe: sent('probe') };
    for (const namespace of differencesOf(this.#excluded, excluded)) this.#changed.add(namespace);
    this.#excluded = excluded;
    const narrowings = served.map(({ narrowing }) => narrowing);
    this.#needsLabels = this.#options.external !== undefined || narrowings.some(needsLabels);
    this.#unevaluated = narrowings.map(unevaluated).find((text) => text !== undefined);
  }

  /** Returns the namespaces that an entry sends here; adds those to `excluded` that it would if nobody had narrowed it. */
  #sentBy({ namespaces, narrowing }: ServedEntry, excluded: Map<string, string>): readonly string[] {
    if (narrowing.expressions.length === 0) return namespaces;
    const isByLabels = needsLabels(narrowing);
    return namespaces.filter((namespace) => {
      const labels = isByLabels ? this.#options.labelsOf(namespace) : undefined;
      const term = excludingTerm(narrowing, namespace, labels);
      if (term !== undefined && this.#options.external === undefined) excluded.set(namespace, describeTerm(term));
      // while its labels are not known, nobody can say that it is sent here
      return term === undefined && (!isByLabels || labels !== undefined);
    });
  }

  /** Notes what has changed; returns what entries of one sort send here, with the time since when they have. */
  #changedTo(
    before: SentSince,
    entries: readonly ServedEntry[],
    excluded: Map<string, string>,
    now: number,
  ): SentSince {
    const kindsSent = new Map<string, readonly WorkloadKind[]>();
    for (const entry of entries) {
      const kinds = entry.key === 'probe' ? [PROBE] : entry.kinds;
      for (const namespace of this.#sentBy(entry, excluded)) {
        const others = kindsSent.get(namespace);
        kindsSent.set(namespace, others === undefined ? kinds : [...others, ...kinds]);
      }
    }
    const sent = new Map<string, Times>();
    for (const [namespace, kinds] of kindsSent) {
      const known = before.get(namespace);
      // as most are: nothing is copied for them
      const isAsBefore = known?.size === kinds.length && kinds.every((kind) => known.has(kind));
      if (known !== undefined && isAsBefore) {
        sent.set(namespace, known);
        continue;
      }
      sent.set(namespace, new Map(kinds.map((kind) => [kind, known?.get(kind) ?? now])));
      if (kinds.some((kind) => known?.has(kind) !== true)) this.#awaited.set(namespace, now + IN_FORCE_MS);
      if (known !== undefined && [...known.keys()].some((kind) => !kinds.includes(kind))) this.#changed.add(namespace);
    }
    for (const namespace of before.keys()) if (!sent.has(namespace)) this.#changed.add(namespace);
    return sent;
  }

  /** Tells the listeners; returns the milliseconds until more is in force, if there is more. */
  #tell(now: number): number | undefined {
    let youngest = Infinity;
    for (const [namespace, from] of this.#awaited) {
      if (now < from) youngest = Math.min(youngest, from - now);
      else {
        this.#awaited.delete(namespace);
        this.#changed.add(namespace);
      }
    }
    const changed = this.#changed;
    this.#changed = new Set();
    // what an external one lacks can be different after any change of it
    const version = this.#options.external && this.#seen?.observed?.metadata.resourceVersion;
    const ofAll = JSON.stringify([[...this.#certificates.keys()], this.#tokens, this.#unevaluated, version]);
    const isAll = ofAll !== this.#toldOfAll;
    this.#toldOfAll = ofAll;
    if (isAll) this.#listeners.notify(undefined);
    else if (changed.size > 0) this.#listeners.notify(changed);
    return youngest === Infinity ? undefined : youngest;
  }
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
