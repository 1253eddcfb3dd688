import type { Clock } from '../../kube/clock.ts';
import { fromBase64 } from '../../core/base64.ts';
import { asObject, asString, equal, own } from '../../core/json.ts';
import { keyOf } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { jittered } from '../../kube/jitter.ts';
import { Listeners } from '../../kube/listeners.ts';
import { isForbidden } from '../../kube/errors.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { faultOfCertificates } from '../../core/pem.ts';
import { coreResource } from '../../core/resources.ts';
import type { RuleCache } from '../policies/rule-cache.ts';
import type { CaRef } from '../../core/policy/rule.ts';

/** The authorities by which the operator trusts a Vault, or why they are unknown. */
export type Authority =
  /** PEM. */
  | { readonly caBundle: string }
  /** What is wrong with the object, which keeps pods from starting as well, and what to do. For users. */
  | { readonly unusable: string }
  /** Why the operator cannot read it, which says nothing of pods, and what to do. For users. */
  | { readonly unread: string };

/** Returns undefined if it has not been read yet. */
export type AuthorityOf = (namespace: string, ref: CaRef) => Authority | undefined;

export interface AuthoritiesOptions {
  readonly client: Pick<ObjectClient, 'get'>;
  readonly rules: Pick<RuleCache, 'rulesFor' | 'onChange'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
}

interface Used {
  readonly ref: CaRef;
  authority: Authority | undefined;
}

// Authorities live for years, and a replaced one usually stays in the bundle for a while.
const REREAD_MS = 300_000;
// Somebody who fixes it waits for this.
const UNREAD_MS = 60_000;
const WHAT = 'reading the CA certificates of a Vault';

/**
 * The certificates that policies refer to by spec.vault.tls.caRef, for the operator's own requests to Vault: pods mount
 * the objects themselves. It reads each object that rules in force name once, and rereads it every five minutes, or
 * every minute if it could not be read.
 */
export class Authorities {
  readonly #options: AuthoritiesOptions;
  readonly #queue: WorkQueue;
  /** By namespace, then by id: a change of one must not cost a look through thousands. */
  readonly #used = new Map<string, Map<string, Used>>();
  readonly #listeners = new Listeners<[policyKey: string]>();

  constructor(options: AuthoritiesOptions) {
    const { rules, clock, random, logger, outages } = options;
    this.#options = options;
    this.#queue = new WorkQueue({ process: (id) => this.#read(id), clock, random, logger, outages, what: WHAT });
    rules.onChange((namespace) => this.#rulesChanged(namespace));
  }

  readonly of: AuthorityOf = (namespace, ref) => this.#used.get(namespace)?.get(idOf(namespace, ref))?.authority;

  /** Calls `listener` with each policy (`namespace/name`) for which of() now returns something else. */
  onChange(listener: (policyKey: string) => void): void {
    this.#listeners.add(listener);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #rulesChanged(namespace: string): void {
    const wanted = new Map(this.#referring(namespace).map(({ id, ref }) => [id, ref]));
    const before = this.#used.get(namespace);
    for (const id of before?.keys() ?? []) if (!wanted.has(id)) this.#queue.forget(id);
    const used = [...wanted].map(([id, ref]) => [id, before?.get(id) ?? { ref, authority: undefined }] as const);
    if (used.length > 0) this.#used.set(namespace, new Map(used));
    else this.#used.delete(namespace);
    for (const id of wanted.keys()) if (before?.has(id) !== true) this.#queue.add(id);
  }

  async #read(id: string): Promise<void> {
    const { client, random } = this.#options;
    const namespace = namespaceOf(id);
    const used = this.#used.get(namespace)?.get(id);
    if (used === undefined) return;
    const { ref } = used;
    const authority = await readAuthority(client, namespace, ref);
    if (this.#used.get(namespace)?.get(id) !== used) return;
    this.#queue.addAfter(id, jittered('caBundle' in authority ? REREAD_MS : UNREAD_MS, random));
    const before = used.authority;
    used.authority = authority;
    if (equal(before, authority)) return;
    const concerned = this.#referring(namespace).filter((one) => one.id === id);
    for (const { policyKey } of concerned) this.#listeners.notify(policyKey);
  }

  /** Returns the policies of the namespace that refer to an object, with that object. */
  #referring(namespace: string): readonly { readonly policyKey: string; readonly id: string; readonly ref: CaRef }[] {
    const rules = this.#options.rules.rulesFor(namespace);
    return rules.flatMap(
      ({
        policy,
        vault: {
          tls: { caRef },
        },
      }) => (caRef === undefined ? [] : [{ policyKey: keyOf(policy), id: idOf(namespace, caRef), ref: caRef }]),
    );
  }
}

/** Reads the object that a policy of the namespace refers to, once. Rejects with ApiError unless it is forbidden. */
export async function readAuthority(
  client: Pick<ObjectClient, 'get'>,
  namespace: string,
  ref: CaRef,
): Promise<Authority> {
  return client
    .get(coreResource(ref.kind, namespace), ref.name)
    .then((object) => authorityIn(object, ref))
    .catch((error: unknown) => ifForbidden(error, ref));
}

function idOf(namespace: string, { kind, name, key }: CaRef): string {
  return `${namespace}/${kind}/${name}/${key}`;
}

function namespaceOf(id: string): string {
  return id.slice(0, id.indexOf('/'));
}

function authorityIn(object: KubernetesObject | undefined, { kind, name, key }: CaRef): Authority {
  const which = `${kind} ${name}`;
  if (object === undefined) {
    return { unusable: `${which} with the CA certificates of Vault does not exist: create it` };
  }
  const caBundle = textIn(object, kind, key);
  if (caBundle === undefined) {
    return { unusable: `${which} has no key ${key} with the CA certificates of Vault: add it` };
  }
  const fault = faultOfCertificates(caBundle);
  return fault === undefined ? { caBundle } : { unusable: `key ${key} of ${which}: ${fault}` };
}

/** Returns what pods find in the file of this key. */
function textIn({ data, binaryData }: KubernetesObject, kind: CaRef['kind'], key: string): string | undefined {
  const value = asString(own(asObject(data), key));
  if (value !== undefined) return kind === 'Secret' ? fromBase64(value) : value;
  // kubectl puts a file there that is not UTF-8, because of an umlaut in a comment, say
  const binary = kind === 'ConfigMap' ? asString(own(asObject(binaryData), key)) : undefined;
  return binary === undefined ? undefined : fromBase64(binary);
}

/** Any other error is retried. */
function ifForbidden(error: unknown, { kind, name }: CaRef): Authority {
  if (!isForbidden(error)) throw error;
  return {
    unread:
      `the operator may not read ${kind} ${name} with the CA certificates of Vault: allow "get" with a Role in the ` +
      'namespace, use a ConfigMap, or write the certificates into spec.vault.tls.caBundle',
  };
}
