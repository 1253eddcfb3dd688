/**
 * One namespace of the soak: a policy and workloads that change all the time, one change after the other, and what has
 * to be true of them.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { equal } from '../../core/json.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';
import type { ApiClient } from '../../kube/api-client.ts';
import type { Api } from '../bench/api.ts';
import { describeError } from '../../kube/errors.ts';
import { deployment, policy } from '../integration/manifests.ts';
import type { Random } from '../support/random.ts';
import { APPS, faultsOfCounts, faultsOfPolicy, isInjected, resourceOf, workload } from './soak-expected.ts';
import type { Kind, Mode, StoredPolicy, StoredWorkload } from './soak-expected.ts';
import type { SoakRecord } from './soak-record.ts';

const POLICY = 'main';
const MOST_WORKLOADS = 8;
const LOOK_MS = 500;
const RETRY_MS = 500;
/** How long a change of a policy may take to be in its status, from the end of the last disturbance. */
const STATUS_MS = 60_000;
/** A certificate by its looks alone, as the schema of the CRD sees it. */
const BROKEN_CA = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const MANAGER = 'soak';

export type FailurePolicy = 'Fail' | 'Ignore';

/** What must become of a workload that is stored now; None: both is right, or nobody knows yet. */
type Guard = 'Inject' | 'Refuse' | 'None';

interface Known {
  readonly kind: Kind;
  exists: boolean;
  isInjected: boolean;
}

export interface TenantOptions {
  readonly client: ApiClient;
  /** For what an operator never does. */
  readonly api: Api;
  readonly namespace: string;
  readonly failurePolicy: FailurePolicy;
  readonly random: Random;
  readonly record: SoakRecord;
  /** Milliseconds between two changes, at most. */
  readonly paceMs: number;
}

export class Tenant {
  readonly namespace: string;
  readonly #options: TenantOptions;
  readonly #workloads = new Map<string, Known>();
  /** Stored while the guard was Inject, without an end since. */
  readonly #guarded = new Set<string>();
  #mode: Mode = 'Absent';
  /** Whether the operator can know a rule of the policy while it cannot be used. */
  #hasLastGood = false;
  #guard: Guard = 'None';
  #epoch = 0;
  #changes = 0;

  constructor(options: TenantOptions) {
    this.#options = options;
    this.namespace = options.namespace;
  }

  /** Changes the policy and the workloads until the signal; resolves when the last change is over. */
  async churn(signal: AbortSignal): Promise<void> {
    const { random, paceMs } = this.#options;
    let next: Mode | undefined = 'Sound';
    while (!signal.aborted) {
      try {
        await (next === undefined ? this.#changeWorkload() : this.#toMode(next, signal));
      } catch (error) {
        this.#violated(describeError(error));
      }
      await sleep(random.next() * paceMs);
      next = random.chance(0.15) ? this.#nextMode() : undefined;
    }
  }

  /** Compares a list of all workloads of the cluster, by namespace/name, with what must be injected. */
  async audit(list: () => Promise<ReadonlyMap<string, KubernetesObject>>): Promise<void> {
    const epoch = this.#epoch;
    const guarded = [...this.#guarded];
    const found = await list();
    if (this.#guard !== 'Inject' || this.#epoch !== epoch) return;
    for (const name of guarded) {
      const object = found.get(`${this.namespace}/${name}`);
      if (object !== undefined && !isInjected(object)) this.#violated(`${name} lies bare in the API server`);
    }
  }

  /** What is not as it should be now that nothing has happened for a while. */
  async faults(): Promise<string[]> {
    const stored = await this.#client.get<StoredPolicy>(this.#policies, POLICY);
    const faults = faultsOfPolicy(stored, this.#mode, this.#hasLastGood);
    const workloads = [...(await this.#list('Deployment')), ...(await this.#list('StatefulSet'))];
    if (this.#governs) faults.push(...faultsOfCounts(stored, workloads.length));
    for (const workload of faults.length > 0 ? [] : workloads) faults.push(...(await this.#faultsOfWorkload(workload)));
    const state = `${this.#mode}${this.#mode === 'Unusable' && this.#hasLastGood ? ' with a last good rule' : ''}`;
    return faults.map((fault) => `${this.namespace} (${this.#options.failurePolicy}, ${state}): ${fault}`);
  }

  get #client(): ApiClient {
    return this.#options.client;
  }

  get #policies(): Resource {
    const plural = 'vaultinjectionpolicies';
    return { group: 'vaultinjection.dev', version: 'v1alpha1', plural, namespace: this.namespace };
  }

  get #governs(): boolean {
    return this.#mode === 'Sound' || (this.#mode === 'Unusable' && this.#hasLastGood);
  }

  #violated(what: string): void {
    const { record, failurePolicy } = this.#options;
    record.violated(`${this.namespace} (${failurePolicy}, ${this.#mode}, guard ${this.#guard}): ${what}`);
  }

  #nextMode(): Mode {
    const { random } = this.#options;
    switch (this.#mode) {
      case 'Sound':
        return random.pick(['Sound', 'Sound', 'Unusable', 'Unusable', 'Suspended', 'Absent']);
      case 'Unusable':
        return random.pick(['Sound', 'Sound', 'Sound', 'Unusable', 'Absent']);
      case 'Suspended':
        return random.pick(['Sound', 'Sound', 'Sound', 'Absent']);
      case 'Absent':
        return random.pick(['Sound', 'Sound', 'Sound', 'Unusable']);
    }
  }

  /** Changes the policy, and the workloads while its status is not up to date. */
  async #toMode(mode: Mode, signal: AbortSignal): Promise<void> {
    const { record, failurePolicy } = this.#options;
    if (mode === 'Unusable' && this.#mode === 'Sound') await this.#lastGoodIsKept(signal);
    // a policy that governs goes on to do so while it changes into another one that does
    if (mode === 'Suspended' || mode === 'Absent' || (mode === 'Sound' && !this.#governs)) this.#guardWith('None');
    const begun = Date.now();
    const wanted = mode === 'Absent' ? undefined : this.#manifest(mode);
    await this.#insist(async () => {
      if (wanted === undefined) await this.#client.delete(this.#policies, POLICY);
      else await this.#client.apply(this.#policies, wanted, { fieldManager: MANAGER });
    });
    this.#mode = mode;
    if (mode !== 'Unusable') this.#hasLastGood = mode === 'Sound';
    record.count(`policy: ${mode.toLowerCase()}`);
    if (mode === 'Absent') return;
    await this.#until(`its status to say that the policy is ${mode.toLowerCase()}`, begun, signal, async () => {
      const stored = await this.#client.get<StoredPolicy>(this.#policies, POLICY);
      return faultsOfPolicy(stored, mode, this.#hasLastGood, new Set(['Accepted', 'Programmed']))[0];
    });
    if (failurePolicy !== 'Fail' || signal.aborted) return;
    if (this.#governs) this.#guardWith('Inject');
    else if (mode === 'Unusable') {
      const isRefused = await this.#until('creations to be refused', begun, signal, () => this.#isAdmitted());
      if (isRefused) this.#guardWith('Refuse');
    }
  }

  #guardWith(guard: Guard): void {
    if (guard === this.#guard) return;
    this.#guard = guard;
    this.#epoch += 1;
    this.#guarded.clear();
  }

  #manifest(mode: Mode): KubernetesObject {
    const { random, failurePolicy } = this.#options;
    this.#changes += 1;
    const tls = mode === 'Unusable' ? { tls: { caBundle: BROKEN_CA } } : {};
    const auth = { role: `role-${this.#changes}` };
    return policy(this.namespace, POLICY, {
      failurePolicy,
      vault: { address: 'https://vault.example.com:8200', auth, ...tls },
      rollout: { strategy: random.pick(['Manual', 'Automatic']) },
      ...(mode === 'Suspended' ? { suspend: true } : {}),
    }) as unknown as KubernetesObject;
  }

  /** Changes workloads until `missing` has nothing to say; a violation if that takes too long. False: the end came. */
  async #until(
    what: string,
    begun: number,
    signal: AbortSignal,
    missing: () => Promise<string | undefined>,
  ): Promise<boolean> {
    const { record, random } = this.#options;
    let told = false;
    while (!signal.aborted) {
      const found = await missing().catch((error: unknown) => (error as Error).message);
      const waited = Date.now() - Math.max(begun, record.disturbedUntil);
      if (found === undefined) {
        record.waited(waited);
        return true;
      }
      if (waited > STATUS_MS && !told) {
        this.#violated(`waited ${STATUS_MS / 1000} s in vain for ${what}: ${found}`);
        told = true;
      }
      if (random.chance(0.3)) await this.#changeWorkload();
      await sleep(LOOK_MS);
    }
    return false;
  }

  /** Waits until the rule is stored that outlives the operator. */
  async #lastGoodIsKept(signal: AbortSignal): Promise<void> {
    const revisions: Resource = { ...APPS, plural: 'controllerrevisions', namespace: this.namespace };
    await this.#until('the last good rule to be stored', Date.now(), signal, async () => {
      const stored = await this.#client.get<StoredPolicy>(this.#policies, POLICY);
      const { items } = await this.#client.list<KubernetesObject>(revisions);
      const isKept = items.some((item) => JSON.stringify(item.metadata).includes(stored?.metadata.uid ?? '?'));
      return isKept ? undefined : 'no ControllerRevision names the policy';
    });
  }

  /** Says so if a workload can be created. */
  async #isAdmitted(): Promise<string | undefined> {
    const probe = deployment(this.namespace, 'probe') as unknown as KubernetesObject;
    try {
      await this.#client.apply(resourceOf('Deployment', this.namespace), probe, { fieldManager: 'soak', dryRun: true });
      return 'a creation was admitted';
    } catch (error) {
      return (error as Error).message.includes('cannot be used') ? undefined : (error as Error).message;
    }
  }

  async #changeWorkload(): Promise<void> {
    const { random, record } = this.#options;
    const names = [...this.#workloads.keys()];
    const [first, ...rest] = names;
    if (first === undefined || (names.length < MOST_WORKLOADS && random.chance(0.3))) return this.#create();
    const name = random.pick([first, ...rest]);
    const { kind } = this.#workloads.get(name) ?? { kind: 'Deployment' };
    const resource = resourceOf(kind, this.namespace);
    const turn = String((this.#changes += 1));
    const options = { fieldManager: MANAGER };
    switch (random.pick(['annotate', 'annotate', 'template', 'apply', 'delete'])) {
      case 'annotate': {
        const changes = { metadata: { annotations: { 'example.com/turn': turn } } };
        return this.#store('annotated', name, false, () => this.#client.patch(resource, name, changes, options));
      }
      case 'template': {
        const changes = { spec: { template: { metadata: { annotations: { turn } } } } };
        return this.#store('template changed', name, true, () => this.#client.patch(resource, name, changes, options));
      }
      case 'apply': {
        const manifest = workload(this.namespace, name, kind, turn);
        return this.#store('applied', name, true, () => this.#client.apply(resource, manifest, options));
      }
      case 'delete':
        await this.#insist(() => this.#client.delete(resource, name));
        this.#workloads.delete(name);
        this.#guarded.delete(name);
        record.count('workload: deleted');
    }
  }

  #create(): Promise<void> {
    const kind = this.#options.random.pick<Kind>(['Deployment', 'Deployment', 'StatefulSet']);
    const name = `w-${(this.#changes += 1)}`;
    const manifest = workload(this.namespace, name, kind, '0');
    this.#workloads.set(name, { kind, exists: false, isInjected: false });
    // by server-side apply, as those that are changed so later
    return this.#store('created', name, true, () =>
      this.#client.apply(resourceOf(kind, this.namespace), manifest, { fieldManager: MANAGER }),
    );
  }

  /** Makes a change, and compares what is stored then with what must be. */
  async #store(
    what: string,
    name: string,
    isNewTemplate: boolean,
    call: () => Promise<KubernetesObject>,
  ): Promise<void> {
    const { record } = this.#options;
    const before = this.#workloads.get(name);
    let isAnswered = true;
    let stored: KubernetesObject | undefined;
    try {
      stored = await call();
      record.count(`workload: ${what}`);
    } catch (error) {
      isAnswered = false;
      record.failed(this.#guard !== 'Refuse', error as Error);
      const kind = before?.kind ?? 'Deployment';
      stored = await this.#insist(() => this.#client.get(resourceOf(kind, this.namespace), name));
    }
    if (stored === undefined || before === undefined) {
      this.#workloads.delete(name);
      return;
    }
    const { exists, isInjected: wasInjected } = before;
    const nowInjected = isInjected(stored);
    Object.assign(before, { exists: true, isInjected: nowInjected });
    // what lies there after a change that was refused, or had no answer, may be older than the guard
    const isNew = isAnswered || !exists;
    if (this.#guard !== 'None' && wasInjected && !nowInjected) this.#violated(`${name}, ${what}: lost its injection`);
    else if (this.#guard === 'Inject' && isNew && !nowInjected) this.#violated(`${name}, ${what}: stored bare`);
    if (this.#guard === 'Refuse' && isNew && isNewTemplate) this.#violated(`${name}, ${what}: not refused`);
    if (this.#guard === 'Inject' && nowInjected) this.#guarded.add(name);
  }

  #list(kind: Kind): Promise<readonly StoredWorkload[]> {
    return this.#client.list<StoredWorkload>(resourceOf(kind, this.namespace)).then(({ items }) => items);
  }

  /** Repeats what does not matter when it is done twice until it is answered. */
  async #insist<T>(call: () => Promise<T>): Promise<T> {
    const begun = Date.now();
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (Date.now() - Math.max(begun, this.#options.record.disturbedUntil) > STATUS_MS) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  /** Compares what is stored with what admission makes of it now. */
  async #faultsOfWorkload({ kind, metadata, spec }: StoredWorkload): Promise<string[]> {
    const { name } = metadata;
    const id = `${kind} ${name}`;
    const injected = isInjected({ spec });
    const changes = { metadata: { annotations: { 'example.com/turn': 'last' } } };
    const { plural } = resourceOf(kind, this.namespace);
    const path = `/apis/apps/v1/namespaces/${this.namespace}/${plural}/${name}?dryRun=All`;
    const touched = await this.#options.api.patch<StoredWorkload>(path, changes).catch((error: unknown) => {
      return error instanceof Error ? error : new Error(typeof error);
    });
    // a review that takes too long on a busy machine: it is asked again for as long as faults may pass
    if (touched instanceof Error) return [`${id} cannot be reviewed: ${touched.message}`];
    const isSame = equal(touched.spec.template, spec.template);
    if (this.#governs) {
      if (!injected) return [`${id} is not injected`];
      return isSame ? [] : [`${id} is not as admission would make it now`];
    }
    if (this.#mode === 'Unusable') return isSame ? [] : [`${id} would be changed under an unusable policy`];
    return isInjected(touched) ? [`${id} would be injected without a policy`] : [];
  }
}
