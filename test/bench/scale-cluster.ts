/**
 * The cluster of the scale benchmark: how many objects of which size, and how they are made. One namespace, one policy and
 * two workloads are made as users make them, with the operator running; the others are copies of what is stored then.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { shortHash } from '../../core/hash.ts';
import { annotation } from '../../core/injection/annotations.ts';
import { CONFIG_VARIABLE } from '../../core/injection/names.ts';
import { without } from '../../core/json.ts';
import { putIntoEtcd } from '../support/etcd.ts';
import { Api, each } from './api.ts';

export interface Shape {
  readonly namespaces: number;
  readonly policies: number;
  readonly workloads: number;
  /** More variables and annotations of each workload, so that it is as long as real ones are. */
  readonly padding: number;
}

export interface PolicyObject {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly workloads?: { readonly matched?: number; readonly injected?: number; readonly outdated?: number };
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export const VIPS = '/apis/vaultinjection.dev/v1alpha1';
const AT_ONCE = 16;
const SAMPLE = { namespace: 'sample-namespace', policy: 'sample-policy', group: 'sample-group' };
const POLICY_KIND = 'vaultinjectionpolicies';
// Of ten workloads so many refer to Vault: the others are excluded, as there is nothing to inject.
const REFERRING = 6;

export const progress = (line: string): boolean => process.stderr.write(`bench: ${line}\n`);
export const deploymentsOf = (namespace: string): string => `/apis/apps/v1/namespaces/${namespace}/deployments`;

/** An object as the API server has stored it. */
interface Stored {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
  readonly status?: unknown;
}

/** What is copied. */
export interface Samples {
  readonly namespace: Stored;
  readonly policy: Stored;
  readonly referring: Stored;
  readonly plain: Stored;
}

export class ScaleCluster {
  readonly shape: Shape;
  readonly api: Api;
  readonly #vault: string;

  /** @param vault its address */
  constructor(shape: Shape, api: Api, vault: string) {
    this.shape = shape;
    this.api = api;
    this.#vault = vault;
  }

  namespaceOf(index: number): string {
    return `bench-${index % this.shape.namespaces}`;
  }

  policyPath(index: number): string {
    return `${VIPS}/namespaces/${this.namespaceOf(index)}/vaultinjectionpolicies/policy-${index}`;
  }

  /** Makes what is copied; the operator has to run, for it injects the workload that refers to Vault. */
  async makeSamples(): Promise<Samples> {
    const { namespace, policy, group } = SAMPLE;
    await this.makeNamespace(namespace);
    await this.makePolicy(namespace, policy, { group });
    await this.policiesAre('Ready', 1, ({ status }) =>
      (status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True'),
    );
    const make = (name: string, isReferring: boolean): Promise<Stored> =>
      this.api.create(deploymentsOf(namespace), this.#workload({ name, namespace, group }, isReferring));
    const [referring, plain] = [await make('sample-referring', true), await make('sample-plain', false)];
    const policyPath = `${VIPS}/namespaces/${namespace}/${POLICY_KIND}/${policy}`;
    const samples = {
      namespace: await this.api.get<Stored>(`/api/v1/namespaces/${namespace}`),
      policy: await this.api.get<Stored>(policyPath),
      referring,
      plain,
    };
    if (!JSON.stringify(referring).includes('vaultinjection.dev/injected'))
      throw new Error('the sample is not injected');
    for (const { metadata } of [referring, plain])
      await this.api.delete(`${deploymentsOf(namespace)}/${metadata.name}`);
    await this.api.delete(policyPath);
    return samples;
  }

  /** Stores copies of the samples, without their statuses. */
  async copy(samples: Samples, etcd: string): Promise<void> {
    const { namespaces, policies, workloads } = this.shape;
    const put = (key: string, sample: Stored, names: Readonly<Record<string, string>>): Promise<void> =>
      putIntoEtcd(etcd, `/registry/${key}`, copyOf(sample, names));
    await this.#each('namespaces', namespaces, (index) => {
      const name = this.namespaceOf(index);
      return put(`namespaces/${name}`, samples.namespace, { [SAMPLE.namespace]: name });
    });
    await this.#each('policies', policies, (index) => {
      const [namespace, name] = [this.namespaceOf(index), `policy-${index}`];
      const names = { [SAMPLE.namespace]: namespace, [SAMPLE.policy]: name, [SAMPLE.group]: this.#groupOf(index) };
      return put(`vaultinjection.dev/${POLICY_KIND}/${namespace}/${name}`, samples.policy, names);
    });
    await this.#each('workloads', workloads, (index) => {
      const policy = index % policies;
      const sample = this.#isReferring(index) ? samples.referring : samples.plain;
      const [namespace, name] = [this.namespaceOf(policy), `app-${index}`];
      return put(`deployments/${namespace}/${name}`, sample, {
        [SAMPLE.namespace]: namespace,
        [SAMPLE.policy]: `policy-${policy}`,
        [SAMPLE.group]: this.#groupOf(policy),
        [sample.metadata.name]: name,
      });
    });
  }

  async makeNamespace(name: string): Promise<void> {
    await this.api.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }

  async makePolicy(
    namespace: string,
    name: string,
    matchLabels: Record<string, string>,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    await this.api.create(`${VIPS}/namespaces/${namespace}/vaultinjectionpolicies`, {
      apiVersion: 'vaultinjection.dev/v1alpha1',
      kind: 'VaultInjectionPolicy',
      metadata: { name, namespace },
      spec: {
        selector: { matchLabels },
        vault: { address: this.#vault, allowPlaintext: true, auth: { role: 'bench' } },
        failurePolicy: 'Fail',
        ...more,
      },
    });
  }

  /** A pod with a reference, as long as a workload's template. */
  pod(index: number, namespace: string): Record<string, unknown> {
    const name = `pod-${index}`;
    const workload = this.#workload({ name, namespace, group: 'pods' }, true) as {
      readonly metadata: Readonly<Record<string, unknown>>;
      readonly spec: { readonly template: { readonly spec: Readonly<Record<string, unknown>> } };
    };
    return { apiVersion: 'v1', kind: 'Pod', metadata: workload.metadata, spec: workload.spec.template.spec };
  }

  /** Waits until so many policies are like this. */
  async policiesAre(what: string, wanted: number, is: (policy: PolicyObject) => boolean): Promise<void> {
    const deadline = Date.now() + 600_000;
    for (;;) {
      const { items } = await this.api.get<{ items: PolicyObject[] }>(`${VIPS}/vaultinjectionpolicies`);
      const count = items.filter(is).length;
      if (count >= wanted) return;
      if (Date.now() > deadline) throw new Error(`only ${count} of ${wanted} policies are ${what}`);
      // a list of all is long itself: looking at it all the time would be what is measured
      await sleep(100 + items.length / 2);
    }
  }

  /** The bytes of an average workload as the API server sends it. */
  async workloadBytes(): Promise<number> {
    const sample = await this.api.get(`/apis/apps/v1/deployments?limit=50`);
    return JSON.stringify(sample).length / Math.min(50, this.shape.workloads);
  }

  /** Workload n goes to policy n modulo their number, so that each has as many, and as many that refer to Vault. */
  workload(index: number, name = `app-${index}`): Record<string, unknown> {
    const policy = index % this.shape.policies;
    const names = { name, namespace: this.namespaceOf(policy), group: this.#groupOf(policy) };
    return this.#workload(names, this.#isReferring(index));
  }

  #isReferring(index: number): boolean {
    return Math.floor(index / this.shape.policies) % 10 < REFERRING;
  }

  #workload(
    { name, namespace, group }: { readonly name: string; readonly namespace: string; readonly group: string },
    isReferring: boolean,
  ): Record<string, unknown> {
    const labels = { app: name, group };
    const more = [...Array(this.shape.padding).keys()];
    const env = [
      { name: 'PORT', value: '8080' },
      { name: 'LOG_LEVEL', value: 'info' },
      ...(isReferring ? [{ name: 'DB_PASSWORD', value: 'vault:secret/data/shop/db#password' }] : []),
      ...more.map((n) => ({ name: `SETTING_${n}`, value: `value-${n}-of-${name}-${'x'.repeat(40)}` })),
    ];
    const app = { name: 'app', image: 'registry.example.com/shop:1', command: ['/bin/shop'], args: ['serve'], env };
    const proxy = { name: 'proxy', image: 'registry.example.com/proxy:1', command: ['/bin/proxy'] };
    const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } };
    const containers = [app, proxy].map((container) => ({ ...container, resources }));
    const annotations = Object.fromEntries(more.map((n) => [`example.com/note-${n}`, `${name} ${'y'.repeat(20)}`]));
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, labels },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels, annotations }, spec: { containers } },
      },
    };
  }

  /** Policies of one namespace share its workloads by this label. */
  #groupOf(index: number): string {
    return `group-${Math.floor(index / this.shape.namespaces)}`;
  }

  async #each(what: string, count: number, work: (index: number) => Promise<unknown>): Promise<void> {
    const started = performance.now();
    let done = 0;
    await each([...Array(count).keys()], AT_ONCE, async (index) => {
      await work(index);
      if (++done % 1000 === 0) {
        progress(`${done} of ${count} ${what}, ${((performance.now() - started) / 1000).toFixed(0)} s`);
      }
    });
  }
}

/** Returns the object under other names and with another uid. */
function copyOf(sample: Stored, names: Readonly<Record<string, string>>): unknown {
  const metadata = without(sample.metadata, 'resourceVersion');
  const rest = without({ ...sample }, 'status');
  // a namespace without the phase Active accepts nothing
  const status = 'spec' in sample && metadata.name === SAMPLE.namespace ? { status: { phase: 'Active' } } : {};
  const text = JSON.stringify({ ...rest, ...status, metadata: { ...metadata, uid: randomUUID() } });
  const copy = JSON.parse(Object.entries(names).reduce((all, [from, to]) => all.replaceAll(from, to), text)) as Copy;
  recordAgain(copy);
  return copy;
}

interface Copy {
  readonly spec?: {
    readonly template?: {
      readonly metadata?: { readonly annotations?: Record<string, string> };
      readonly spec?: {
        readonly containers: readonly {
          readonly name: string;
          readonly env?: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}

/** The record of an injected workload holds a hash of its configuration, which names the policy. */
function recordAgain({ spec }: Copy): void {
  const annotations = spec?.template?.metadata?.annotations;
  const recorded = annotations?.[annotation.original];
  if (annotations === undefined || recorded === undefined) return;
  const record = JSON.parse(recorded) as { containers: { name: string; config: string }[] };
  for (const entry of record.containers) {
    const container = spec?.template?.spec?.containers.find(({ name }) => name === entry.name);
    entry.config = shortHash(container?.env?.find(({ name }) => name === CONFIG_VARIABLE)?.value ?? '');
  }
  annotations[annotation.original] = JSON.stringify(record);
}
