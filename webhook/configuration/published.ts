import type { Clock } from '../../kube/clock.ts';
import { certificateBlocks } from '../../core/pem.ts';
import { Listeners } from '../../kube/listeners.ts';
import { publishedBundle, servedNamespaces } from './configuration.ts';
import type { WebhookConfiguration, WebhookTarget } from './configuration.ts';
import type { Entry } from './configuration.ts';

/**
 * From when the configuration is seen until every API server follows it: 20 to 150 ms were measured with API server
 * 1.37; before that it still admits without calling.
 */
export const IN_FORCE_MS = 250;

/** What the cluster's configuration says, and since when. */
export class Published {
  readonly #clock: Clock;
  readonly #target: WebhookTarget;
  readonly #listeners = new Listeners();
  /** Key: entry and namespace. */
  readonly #namespaces = new Map<string, number>();
  /** Key: PEM. */
  readonly #certificates = new Map<string, number>();
  #bundle: string | undefined;
  #told = '';

  constructor(clock: Clock, target: WebhookTarget) {
    this.#clock = clock;
    this.#target = target;
  }

  /** The bundle (PEM) in the cluster; undefined if nothing there calls this webhook. */
  get bundle(): string | undefined {
    return this.#bundle;
  }

  /** Takes the current configuration; returns the milliseconds until more of it is in force, if there is more. */
  look(observed: WebhookConfiguration | undefined, ownBundle: string): number | undefined {
    const now = this.#clock.elapsed();
    const [authority = ''] = certificateBlocks(ownBundle);
    const served = observed && servedNamespaces(observed, this.#target, authority);
    keepSince(
      this.#namespaces,
      (['ignore', 'fail'] as const).flatMap((entry) => [...(served?.[entry] ?? [])].map((name) => `${entry}/${name}`)),
      now,
    );
    this.#bundle = observed && publishedBundle(observed);
    // without any entry nothing distrusts us: the next one will be written with the whole bundle
    const trusted = observed === undefined ? '' : (this.#bundle ?? ownBundle);
    keepSince(this.#certificates, certificateBlocks(trusted), now);
    this.#tell(now);
    const young = [...this.#namespaces.values()].filter((since) => now < since + IN_FORCE_MS);
    return young.length === 0 ? undefined : Math.min(...young) + IN_FORCE_MS - now;
  }

  /** Whether that entry has been sending that namespace here for long enough. */
  isInForce(entry: Entry, namespace: string): boolean {
    const since = this.#namespaces.get(`${entry}/${namespace}`);
    return since !== undefined && this.#clock.elapsed() >= since + IN_FORCE_MS;
  }

  /**
   * Returns since when (milliseconds by Clock.elapsed()) every bundle that API servers trust has included this
   * certificate.
   */
  since(certificatePem: string): number | undefined {
    return this.#certificates.get(certificatePem.trim());
  }

  /** Calls `listener` after changes of what `isInForce` and `since` return; returns a function that removes it. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  #tell(now: number): void {
    const inForce = [...this.#namespaces].filter(([, since]) => now >= since + IN_FORCE_MS).map(([key]) => key);
    const says = JSON.stringify([inForce.sort(), [...this.#certificates.keys()]]);
    if (says === this.#told) return;
    this.#told = says;
    this.#listeners.notify();
  }
}

/** Adds new keys with the current time, and removes those that are gone. */
function keepSince(map: Map<string, number>, keys: readonly string[], now: number): void {
  const present = new Set(keys);
  for (const key of map.keys()) if (!present.has(key)) map.delete(key);
  for (const key of present) if (!map.has(key)) map.set(key, now);
}
