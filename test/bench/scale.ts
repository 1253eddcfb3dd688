/**
 * What a big cluster costs the operator: thousands of workloads under hundreds of policies on a real API server. How long
 * until it is ready and knows them all, what memory that takes, what it asks of the API server when nothing happens, and
 * how long a changed policy takes to be in force and in the status.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Api, each } from './api.ts';
import { fixed, median, table } from './table.ts';

// Each by an environment variable, for a look on a busy machine: BENCH_WORKLOADS=200 node test/bench/run.ts scale
const NAMESPACES = sizeOf('BENCH_NAMESPACES', 50);
const POLICIES = sizeOf('BENCH_POLICIES', 500);
const WORKLOADS = sizeOf('BENCH_WORKLOADS', 5000);
const CHANGES = sizeOf('BENCH_CHANGES', 50);
const IDLE_SECONDS = sizeOf('BENCH_IDLE_SECONDS', 60);
// After the last status is written, writes of its own make the watches speak once more.
const SETTLE_SECONDS = 15;
const STATUS_LOOK_MS = 500;
const AT_ONCE = 16;
// Of ten workloads so many refer to Vault: the others are excluded, as there is nothing to inject.
const REFERRING = 6;
const USER = 'vault-injection-operator';
const VIPS = '/apis/vaultinjection.dev/v1alpha1';

interface PolicyObject {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly workloads?: { readonly matched?: number; readonly injected?: number; readonly outdated?: number };
  };
}

interface Start {
  readonly operator: RunningOperator;
  readonly inventoryMs: number;
  readonly statusMs: number;
}

/** Markdown with one table. */
export async function benchScale(): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-bench-'));
  const auditLog = join(scratch, 'audit.log');
  const plane = await startControlPlane({ controllers: false, apiServerArgs: auditFlags(scratch, auditLog) });
  let operator: RunningOperator | undefined;
  try {
    const api = new Api(plane.kubeconfig);
    operator = await startAs(plane);
    await makePolicies(api);
    await makeWorkloads(api);
    await operator.stop();
    await forgetStatuses(api);
    const start = await timedStart(plane, api);
    operator = start.operator;
    progress(`idle: ${SETTLE_SECONDS} s to settle, ${IDLE_SECONDS} s that count`);
    await sleep(SETTLE_SECONDS * 1000);
    const idle = await measureIdle(operator, auditLog);
    const changes = await measureChanges(api);
    return report(start, idle, changes, memoryOf(operator.pid));
  } finally {
    await operator?.stop();
    await plane.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

const progress = (line: string): boolean => process.stderr.write(`bench: ${line}\n`);

function sizeOf(variable: string, byDefault: number): number {
  const size = Number(process.env[variable] ?? byDefault);
  if (!Number.isInteger(size) || size < 1) throw new Error(`${variable} has to be a whole number above 0`);
  return size;
}

/** The operator as it is shipped, as a separate user, so that the audit log tells its requests from others. */
async function startAs(plane: ControlPlane): Promise<RunningOperator> {
  const kubeconfig = await plane.kubeconfigOf(USER, ['system:masters']);
  return startOperator({ controlPlane: { ...plane, kubeconfig }, bundled: true });
}

const namespaceOf = (index: number): string => `bench-${index % NAMESPACES}`;
/** Policies of one namespace share its workloads by this label. */
const groupOf = (index: number): string => `group-${Math.floor(index / NAMESPACES)}`;

async function makePolicies(api: Api): Promise<void> {
  progress(`${POLICIES} policies in ${NAMESPACES} namespaces`);
  const namespaces = [...Array(NAMESPACES).keys()].map(namespaceOf);
  await each(namespaces, AT_ONCE, (name) =>
    api.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
  );
  await each([...Array(POLICIES).keys()], AT_ONCE, (index) =>
    api.create(`${VIPS}/namespaces/${namespaceOf(index)}/vaultinjectionpolicies`, {
      apiVersion: 'vaultinjection.dev/v1alpha1',
      kind: 'VaultInjectionPolicy',
      metadata: { name: `policy-${index}`, namespace: namespaceOf(index) },
      spec: {
        selector: { matchLabels: { group: groupOf(index) } },
        vault: { address: 'https://127.0.0.1:1', auth: { role: 'bench' } }, // nobody is there: refused at once
        failurePolicy: 'Fail',
      },
    }),
  );
  const ready = (policy: PolicyObject & { status?: { conditions?: { type: string; status: string }[] } }): boolean =>
    policy.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
  await policiesAre(api, 'Ready', ready);
}

async function policiesAre(api: Api, what: string, is: (policy: PolicyObject) => boolean): Promise<void> {
  await eventually(
    `all policies to be ${what}`,
    async () => {
      const { items } = await api.get<{ items: PolicyObject[] }>(`${VIPS}/vaultinjectionpolicies`);
      if (items.length === POLICIES && items.every(is)) return true;
      await sleep(100);
      return undefined;
    },
    90_000,
  );
}

async function makeWorkloads(api: Api): Promise<void> {
  const started = performance.now();
  let made = 0;
  await each([...Array(WORKLOADS).keys()], AT_ONCE, async (index) => {
    await api.create(deploymentsOf(namespaceOf(index % POLICIES)), workload(index));
    if (++made % 1000 === 0) progress(`${made} of ${WORKLOADS} workloads, ${seconds(performance.now() - started)} s`);
  });
}

const deploymentsOf = (namespace: string): string => `/apis/apps/v1/namespaces/${namespace}/deployments`;

/** Workload n goes to policy n modulo their number, so that each has as many, and as many that refer to Vault. */
function workload(index: number): Record<string, unknown> {
  const [policy, turn] = [index % POLICIES, Math.floor(index / POLICIES)];
  const labels = { app: `app-${index}`, group: groupOf(policy) };
  const env = [
    { name: 'PORT', value: '8080' },
    { name: 'LOG_LEVEL', value: 'info' },
    ...(turn % 10 < REFERRING ? [{ name: 'DB_PASSWORD', value: 'vault:secret/data/shop/db#password' }] : []),
  ];
  const app = { name: 'app', image: 'registry.example.com/shop:1', command: ['/bin/shop'], args: ['serve'], env };
  const proxy = { name: 'proxy', image: 'registry.example.com/proxy:1', command: ['/bin/proxy'] };
  const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } };
  const containers = [app, proxy].map((container) => ({ ...container, resources }));
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `app-${index}`, namespace: namespaceOf(policy), labels },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: `app-${index}` } },
      template: { metadata: { labels }, spec: { containers } },
    },
  };
}

/** So that a count in a status is one that the operator has made since. */
async function forgetStatuses(api: Api): Promise<void> {
  await each([...Array(POLICIES).keys()], AT_ONCE, (index) =>
    api.patch(`${policyPath(index)}/status`, { status: { workloads: null } }),
  );
}

const policyPath = (index: number): string =>
  `${VIPS}/namespaces/${namespaceOf(index)}/vaultinjectionpolicies/policy-${index}`;

async function timedStart(plane: ControlPlane, api: Api): Promise<Start> {
  progress('the operator starts');
  const before = performance.now();
  const operator = await startAs(plane);
  // what was done before its process began
  const earlier = performance.now() - before - operator.readyAfterMs;
  const since = (): number => performance.now() - before - earlier;
  await eventually(
    'the inventory to know all workloads',
    async () => (await known(operator)) >= WORKLOADS || undefined,
    60_000,
  );
  const inventoryMs = since();
  const perPolicy = WORKLOADS / POLICIES;
  await policiesAre(api, 'counted', ({ status }) => (status?.workloads?.matched ?? 0) >= Math.floor(perPolicy));
  return { operator, inventoryMs, statusMs: since() };
}

/** Workloads in the operator's own metric. */
async function known(operator: RunningOperator): Promise<number> {
  const { body } = await operator.health('/metrics');
  const counts = [...body.matchAll(/^vault_injection_workloads\{[^}]*\} (\d+)/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}

interface Idle {
  readonly rssMiB: number;
  readonly perMinute: number;
  /** Such as `update leases`, with how often per minute. */
  readonly kinds: readonly (readonly [string, number])[];
}

/** Watches are renewed after minutes: what that makes per minute follows from how long each asked to be. */
async function measureIdle(operator: RunningOperator, auditLog: string): Promise<Idle> {
  const from = Date.now();
  await sleep(IDLE_SECONDS * 1000);
  const to = Date.now();
  const { rssMiB } = memoryOf(operator.pid);
  const counts = new Map<string, number>();
  const watches = new Map<string, number>();
  for (const line of readFileSync(auditLog, 'utf8').split('\n').filter(Boolean)) {
    const { verb, requestURI, requestReceivedTimestamp, objectRef } = JSON.parse(line) as AuditEvent;
    const time = Date.parse(requestReceivedTimestamp);
    const { pathname, searchParams } = new URL(requestURI, 'https://localhost');
    if (verb === 'watch') watches.set(pathname, Number(searchParams.get('timeoutSeconds')));
    else if (time >= from && time < to) {
      const kind = `${verb} ${objectRef?.resource ?? pathname}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 60 / IDLE_SECONDS);
    }
  }
  const renewals = [...watches.values()].reduce((sum, length) => sum + 60 / length, 0);
  counts.set(`renewals of ${watches.size} watches`, renewals);
  const kinds = [...counts].sort((a, b) => b[1] - a[1]);
  return { rssMiB, perMinute: kinds.reduce((sum, [, count]) => sum + count, 0), kinds };
}

interface AuditEvent {
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: { readonly resource?: string };
}

/** Flags of an API server that notes each request of the operator's user when it comes in. */
function auditFlags(folder: string, log: string): string[] {
  const policy = join(folder, 'audit.json');
  const omitStages = ['ResponseStarted', 'ResponseComplete', 'Panic'];
  writeFileSync(
    policy,
    JSON.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      omitStages,
      rules: [{ level: 'Metadata', users: [USER] }, { level: 'None' }],
    }),
  );
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`];
}

interface Memory {
  readonly rssMiB: number;
  readonly peakMiB: number;
}

function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  return { rssMiB: of('VmRSS'), peakMiB: of('VmHWM') };
}

interface Changes {
  readonly inForceMs: readonly number[];
  readonly inStatusMs: readonly number[];
}

/**
 * Changes the role of policies, one after the other, and watches the effect: by dry runs of a new workload, and at the
 * status.
 */
async function measureChanges(api: Api): Promise<Changes> {
  progress(`${CHANGES} policies change`);
  const inForceMs: number[] = [];
  const pending: Promise<number>[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const policy = change % POLICIES;
    const role = `role-${change}`;
    const started = performance.now();
    const { metadata } = await api.patch<PolicyObject>(policyPath(policy), { spec: { vault: { auth: { role } } } });
    const probe = { ...workload(policy), metadata: { ...(workload(policy).metadata as object), name: 'probe' } };
    for (;;) {
      const made = await api.create(`${deploymentsOf(namespaceOf(policy))}?dryRun=All`, probe);
      if (JSON.stringify(made).includes(`\\"${role}\\"`)) break;
    }
    inForceMs.push(performance.now() - started);
    pending.push(toStatus(api, policy, metadata.generation, started));
  }
  return { inForceMs, inStatusMs: await Promise.all(pending) };
}

/** Until the status speaks of this generation and counts the workloads as outdated. */
async function toStatus(api: Api, policy: number, generation: number, started: number): Promise<number> {
  await eventually(
    `the status of policy-${policy} to tell of its change`,
    async () => {
      const { status } = await api.get<PolicyObject>(policyPath(policy));
      const { outdated = 0, injected = 0 } = status?.workloads ?? {};
      if ((status?.observedGeneration ?? 0) >= generation && outdated > 0 && injected === 0) return true;
      await sleep(STATUS_LOOK_MS);
      return undefined;
    },
    60_000,
  );
  return performance.now() - started;
}

function report(start: Start, idle: Idle, changes: Changes, memory: Memory): string {
  const head = `${WORKLOADS} workloads, ${POLICIES} policies, ${NAMESPACES} namespaces`;
  const kinds = idle.kinds.map(([kind, count]) => `${kind} ${fixed(count, 0)}`).join(', ');
  return `${table([
    [head, 'measured', 'aim'],
    ['start to ready', `${seconds(start.operator.readyAfterMs)} s`, '–'],
    ['start to all workloads known', `${seconds(start.inventoryMs)} s`, '–'],
    ['start to all statuses written', `${seconds(start.statusMs)} s`, '–'],
    ['memory (RSS), idle', `${fixed(idle.rssMiB, 0)} MiB`, '350 MiB'],
    ['memory (RSS), peak of all', `${fixed(memory.peakMiB, 0)} MiB`, '350 MiB'],
    ['API requests per minute, idle', fixed(idle.perMinute, 0), '–'],
    ['policy changed to rule in force, p50 / p99', percentiles(changes.inForceMs), '1 s'],
    ['policy changed to status, p50 / p99', percentiles(changes.inStatusMs), '15 s'],
  ])}\n\nRequests per minute: ${kinds}. Changes: ${CHANGES}, one after the other; p99 is nearest-rank.\n`;
}

const seconds = (ms: number): string => fixed(ms / 1000, 2);

function percentiles(ms: readonly number[]): string {
  const sorted = ms.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
  return `${seconds(median(ms))} / ${seconds(p99)} s`;
}
