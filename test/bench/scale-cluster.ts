/** The cluster of the scale benchmark: how many objects of which size, and how they are made. */
import { setTimeout as sleep } from 'node:timers/promises';

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
// Of ten workloads so many refer to Vault: the others are excluded, as there is nothing to inject.
const REFERRING = 6;

export const progress = (line: string): boolean => process.stderr.write(`bench: ${line}\n`);
export const deploymentsOf = (namespace: string): string => `/apis/apps/v1/namespaces/${namespace}/deployments`;

export class ScaleCluster {
  readonly shape: Shape;
  readonly api: Api;

  constructor(shape: Shape, api: Api) {
    this.shape = shape;
    this.api = api;
  }

  namespaceOf(index: number): string {
    return `bench-${index % this.shape.namespaces}`;
  }

  policyPath(index: number): string {
    return `${VIPS}/namespaces/${this.namespaceOf(index)}/vaultinjectionpolicies/policy-${index}`;
  }

  async makePolicies(): Promise<void> {
    const { namespaces, policies } = this.shape;
    progress(`${policies} policies in ${namespaces} namespaces`);
    await this.#each('namespaces', namespaces, (index) => this.makeNamespace(this.namespaceOf(index)));
    await this.#each('policies', policies, (index) =>
      this.makePolicy(this.namespaceOf(index), `policy-${index}`, { group: this.#groupOf(index) }),
    );
    await this.policiesAre('Ready', ({ status }) =>
      (status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True'),
    );
  }

  async makeNamespace(name: string): Promise<void> {
    await this.api.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }

  async makePolicy(namespace: string, name: string, matchLabels: Record<string, string>): Promise<void> {
    await this.api.create(`${VIPS}/namespaces/${namespace}/vaultinjectionpolicies`, {
      apiVersion: 'vaultinjection.dev/v1alpha1',
      kind: 'VaultInjectionPolicy',
      metadata: { name, namespace },
      spec: {
        selector: { matchLabels },
        vault: { address: 'https://127.0.0.1:1', auth: { role: 'bench' } }, // nobody is there: refused at once
        failurePolicy: 'Fail',
      },
    });
  }

  async makeWorkloads(): Promise<void> {
    const { workloads, policies } = this.shape;
    await this.#each('workloads', workloads, (index) =>
      this.api.create(deploymentsOf(this.namespaceOf(index % policies)), this.workload(index)),
    );
  }

  /** Waits until all policies are like this. */
  async policiesAre(what: string, is: (policy: PolicyObject) => boolean): Promise<void> {
    const deadline = Date.now() + 600_000;
    for (;;) {
      const { items } = await this.api.get<{ items: PolicyObject[] }>(`${VIPS}/vaultinjectionpolicies`);
      const count = items.filter(is).length;
      if (count >= this.shape.policies) return;
      if (Date.now() > deadline) throw new Error(`only ${count} of ${this.shape.policies} policies are ${what}`);
      // a list of all is long itself: looking at it all the time would be what is measured
      await sleep(100 + items.length / 2);
    }
  }

  /** So that a count in a status is one that the operator has made since. */
  async forgetStatuses(): Promise<void> {
    await this.#each('statuses forgotten', this.shape.policies, (index) =>
      this.api.patch(`${this.policyPath(index)}/status`, { status: { workloads: null } }),
    );
  }

  /** The bytes of an average workload as the API server sends it. */
  async workloadBytes(): Promise<number> {
    const sample = await this.api.get(`/apis/apps/v1/deployments?limit=50`);
    return JSON.stringify(sample).length / Math.min(50, this.shape.workloads);
  }

  /** Workload n goes to policy n modulo their number, so that each has as many, and as many that refer to Vault. */
  workload(index: number): Record<string, unknown> {
    const { policies, padding } = this.shape;
    const [policy, turn] = [index % policies, Math.floor(index / policies)];
    const labels = { app: `app-${index}`, group: this.#groupOf(policy) };
    const more = [...Array(padding).keys()];
    const env = [
      { name: 'PORT', value: '8080' },
      { name: 'LOG_LEVEL', value: 'info' },
      ...(turn % 10 < REFERRING ? [{ name: 'DB_PASSWORD', value: 'vault:secret/data/shop/db#password' }] : []),
      ...more.map((n) => ({ name: `SETTING_${n}`, value: `value-${n}-of-${index}-${'x'.repeat(40)}` })),
    ];
    const app = { name: 'app', image: 'registry.example.com/shop:1', command: ['/bin/shop'], args: ['serve'], env };
    const proxy = { name: 'proxy', image: 'registry.example.com/proxy:1', command: ['/bin/proxy'] };
    const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } };
    const containers = [app, proxy].map((container) => ({ ...container, resources }));
    const annotations = Object.fromEntries(more.map((n) => [`example.com/note-${n}`, `${index} ${'y'.repeat(20)}`]));
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: `app-${index}`, namespace: this.namespaceOf(policy), labels },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: `app-${index}` } },
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
