import { shortHash } from '../../core/hash.ts';
import { mark } from '../../core/marks.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';
import type { Rule } from '../../core/policy/rule.ts';
import { decodeRule, encodeRule } from '../../core/policy/stored-rule.ts';
import { isConflict, isNotFound } from '../../kube/errors.ts';
import { itemsOf } from '../../kube/items.ts';
import type { ObjectClient } from '../../kube/object-client.ts';

export interface RuleHistoryOptions {
  readonly client: Pick<ObjectClient, 'create' | 'list' | 'delete'>;
  readonly labels: Readonly<Record<string, string>>;
}

interface Revision extends KubernetesObject {
  readonly revision?: number;
  readonly data?: unknown;
}

// Of metadata alone, or of one policy, which normally has one revision.
const PAGE = 500;

/**
 * The last good rule of each policy, where every replica finds it, also after a restart: in a ControllerRevision, as
 * Kubernetes' own controllers keep what a StatefulSet was. It belongs to the policy and disappears with it.
 */
export class RuleHistory {
  readonly #options: RuleHistoryOptions;
  /** By uid of the policy: names of its revisions, as far as known; undefined before the first look. */
  #stored: Promise<Map<string, readonly string[]>> | undefined;

  constructor(options: RuleHistoryOptions) {
    this.#options = options;
  }

  /** Resolves with the newest rule that is stored for this policy, or undefined. Rejects with ApiError. */
  async lastGood(policy: Rule['policy']): Promise<Rule | undefined> {
    const resource = revisionsIn(policy.namespace);
    const options = { labelSelector: `${mark.policyUid}=${policy.uid}`, limit: PAGE };
    const found: Revision[] = [];
    for await (const revision of itemsOf<Revision>(this.#options.client, resource, options)) {
      if (ownerOf(revision) === policy.uid) found.push(revision);
    }
    return found.sort(newestFirst).flatMap(({ data }) => decodeRule(data, policy) ?? [])[0];
  }

  /** Resolves with whether this rule, or a newer one, is stored, and nothing else. Rejects with ApiError. */
  async isKept(rule: Rule): Promise<boolean> {
    const { uid, generation } = rule.policy;
    const names = (await this.#known()).get(uid) ?? [];
    if (names.some((name) => generationIn(name) > generation)) return true;
    return names.length === 1 && names[0] === this.#revisionFor(rule).metadata.name;
  }

  /**
   * Stores a rule that is in force, unless it or a newer one is stored already, and drops older ones. Only one replica
   * may call it. Rejects with ApiError.
   */
  async keep(rule: Rule): Promise<void> {
    if (await this.isKept(rule)) return;
    const { client } = this.#options;
    const { namespace, uid } = rule.policy;
    const revision = this.#revisionFor(rule);
    const { name } = revision.metadata;
    const stored = await this.#known();
    const before = stored.get(uid) ?? [];
    if (!before.includes(name)) await client.create(revisionsIn(namespace), revision).catch(unlessExists);
    stored.set(uid, [...before.filter((other) => other !== name), name]);
    for (const other of before) {
      if (other !== name) await client.delete(revisionsIn(namespace), other).catch(unlessGone);
    }
    stored.set(uid, [name]);
  }

  /** Looks again before the next keep(): call it when another replica may have stored rules since. */
  doubt(): void {
    this.#stored = undefined;
  }

  #known(): Promise<Map<string, readonly string[]>> {
    return (this.#stored ??= this.#lookUp());
  }

  async #lookUp(): Promise<Map<string, readonly string[]>> {
    const stored = new Map<string, readonly string[]>();
    try {
      const options = { labelSelector: mark.policyUid, limit: PAGE, metadataOnly: true };
      for await (const revision of itemsOf<Revision>(this.#options.client, revisionsIn(), options)) {
        const uid = ownerOf(revision);
        if (uid !== undefined) stored.set(uid, [...(stored.get(uid) ?? []), revision.metadata.name]);
      }
      return stored;
    } catch (error) {
      this.#stored = undefined;
      throw error;
    }
  }

  /** Its name says all that it contains: with another content it is another object, because the content is immutable. */
  #revisionFor(rule: Rule): Revision {
    const { namespace, name, uid, generation } = rule.policy;
    const data = encodeRule(rule);
    const suffix = `${generation}-${shortHash(JSON.stringify([uid, data]))}`;
    return {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `vaultinjectionpolicy-${suffix}`,
        namespace,
        labels: { ...this.#options.labels, [mark.policyUid]: uid },
        ownerReferences: [
          { apiVersion: 'vaultinjection.dev/v1alpha1', kind: 'VaultInjectionPolicy', name, uid, controller: true },
        ],
      },
      revision: generation,
      data,
    };
  }
}

/** In all namespaces, if none is given. */
function revisionsIn(namespace?: string): Resource {
  const resource = { group: 'apps', version: 'v1', plural: 'controllerrevisions' };
  return namespace === undefined ? resource : { ...resource, namespace };
}

/** Returns the uid of the policy that the revision belongs to. A label alone could be anybody's. */
function ownerOf({ metadata }: Revision): string | undefined {
  const uid = metadata.labels?.[mark.policyUid];
  const owners = metadata.ownerReferences as readonly { readonly uid?: string }[] | undefined;
  return owners?.some((owner) => owner.uid === uid) === true ? uid : undefined;
}

function generationIn(name: string): number {
  return Number(name.split('-').at(-2)) || 0;
}

function newestFirst(a: Revision, b: Revision): number {
  const created = ({ metadata }: Revision): number => Date.parse(metadata.creationTimestamp ?? '') || 0;
  return (b.revision ?? 0) - (a.revision ?? 0) || created(b) - created(a);
}

function unlessGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

function unlessExists(error: unknown): void {
  if (!isConflict(error)) throw error;
}
