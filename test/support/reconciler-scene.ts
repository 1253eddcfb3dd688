import type { DeliveryChoice } from '../../core/policy/delivery-choice.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { CompiledPolicy } from '../../core/policy/compile.ts';
import type { VaultInjectionPolicy } from '../../core/policy/policy.generated.ts';
import type { Rule, RuleVault } from '../../core/policy/rule.ts';
import type { WorkloadSummary } from '../../core/workload/summary.ts';
import type { ApiError } from '../../kube/object-client.ts';
import type { PolicyStatus, Statement } from '../../operator/policies/conditions.ts';
import { Enforcer } from '../../operator/policies/enforcer.ts';
import { Reconciler } from '../../operator/policies/reconciler.ts';
import { RuleCache } from '../../operator/policies/rule-cache.ts';
import type { VaultHealth } from '../../operator/vault/vault-port.ts';
import { DEFAULT_KINDS } from './kind-policies.ts';
import { ManualClock, settle } from './manual-clock.ts';
import { RecordingTracer } from './recorded-spans.ts';
import { testLog } from './test-log.ts';

export const KEY = 'shop/web';
const REACHED: Statement = { status: 'True', reason: 'WebhookReached', message: 'reached' };
const REACHABLE: VaultHealth = { status: 'True', reason: 'VaultReachable', message: 'answers' };

interface Applied {
  readonly resource: unknown;
  readonly object: KubernetesObject;
  readonly options: unknown;
}

/** A summary of so many workloads, by default all injected. */
export function summaryWith(matched: number, fields: Partial<WorkloadSummary> = {}): WorkloadSummary {
  const counts = { matched, injected: matched, outdated: 0, missed: 0, denied: 0, failed: 0, excluded: 0 };
  return { counts, attention: [], attentionOmitted: 0, conflicts: [], ...fields };
}

/** A policy whose spec says how validation and compilation are to go. */
export function policy(
  fields: { name?: string; uid?: string; generation?: number; version?: number; spec?: unknown } = {},
): KubernetesObject {
  const { name = 'web', uid = 'uid-1', generation = 1, version = generation, spec = { good: true } } = fields;
  return {
    apiVersion: 'vaultinjection.dev/v1alpha1',
    kind: 'VaultInjectionPolicy',
    metadata: { name, namespace: 'shop', uid, generation, resourceVersion: String(version) },
    spec,
  };
}

// Of a rule only what the reconciler looks at; the rest is the compiler's own business.
export function compile({ metadata, spec }: VaultInjectionPolicy): CompiledPolicy {
  const {
    suspend,
    fault,
    failurePolicy = 'Ignore',
    rotation = { strategy: 'None' },
    auto = false,
    insteadBecause,
  } = spec as {
    auto?: boolean;
    insteadBecause?: string;
    suspend?: boolean;
    fault?: boolean;
    failurePolicy?: Rule['failurePolicy'];
    rotation?: object;
  };
  if (suspend) return { ok: true, suspended: true };
  if (fault) return { ok: false, reason: 'DurationInvalid', message: 'spec.process.delay: write a duration' };
  const { namespace, name, uid = '', generation = 0 } = metadata;
  const rule = {
    policy: { namespace, name, uid, generation, createdAt: 0 },
    priority: 0,
    targets: DEFAULT_KINDS,
    failurePolicy,
    vault: { address: `https://vault.${name}:8200`, auth: {} },
    rotation,
    injector: { delivery: 'InitContainer', isAuto: auto, ...(insteadBecause !== undefined && { insteadBecause }) },
  };
  return { ok: true, suspended: false, rule: rule as unknown as Rule };
}

/** A reconciler with everything around it: what it asks for is in fields that a test sets, what it does in others. */
export class ReconcilerScene {
  readonly objects = new Map<string, KubernetesObject>();
  readonly rules = new RuleCache();
  readonly programmed = new Set(['shop']);
  readonly excluded = new Set<string>();
  readonly told: ReturnType<RuleCache['namespaces']>[] = [];
  readonly watched = new Map<string, string | undefined>();
  readonly applied: Applied[] = [];
  readonly later: [key: string, ms: number][] = [];
  readonly clock = new ManualClock(Date.UTC(2026, 0, 2, 12));
  /** By uid of the policy. */
  readonly stored = new Map<string, Rule>();
  /** Generations that were stored. */
  readonly kept: number[] = [];
  health: VaultHealth = REACHABLE;
  certificateReady = true;
  reachable: Statement | undefined = REACHED;
  refusal: ApiError | undefined;
  /** Why the last good rules cannot be read. */
  noHistory: ApiError | undefined;
  summary: WorkloadSummary | undefined;
  rotating: Statement | undefined;
  delivery: DeliveryChoice | undefined;
  leading = true;
  everywhere: (version: string) => boolean = () => true;
  readonly tracer = new RecordingTracer();
  readonly enforcer: Enforcer;
  readonly reconciler: Reconciler;

  constructor() {
    const { objects, rules, clock } = this;
    const { logger } = testLog();
    const policies = { get: (key: string) => objects.get(key), list: () => [...objects.values()] };
    const history = {
      lastGood: ({ uid }: Rule['policy']) => {
        if (this.noHistory !== undefined) return Promise.reject(this.noHistory);
        return Promise.resolve(this.stored.get(uid));
      },
      isKept: ({ policy }: Rule) => Promise.resolve(this.kept.includes(policy.generation)),
      keep: (rule: Rule) => Promise.resolve(void this.kept.push(rule.policy.generation)),
    };
    this.enforcer = new Enforcer({
      policies,
      validate: (object) => {
        const { spec } = object as VaultInjectionPolicy & { spec: { problems?: string[] } };
        if (spec.problems !== undefined) return { ok: false, problems: spec.problems };
        return { ok: true, policy: object as VaultInjectionPolicy };
      },
      compile,
      rules,
      history,
      onNamespaces: (namespaces) => void this.told.push(namespaces),
      clock,
      logger,
    });
    this.reconciler = new Reconciler({
      policies,
      enforcer: this.enforcer,
      rules,
      history,
      inForceEverywhere: (version) => this.everywhere(version),
      webhook: {
        programmed: (namespace) => this.programmed.has(namespace),
        excludes: (namespace) => this.excluded.has(namespace),
        excludedByPlatform: () => undefined,
        lackingFor: () => undefined,
        narrowedByPlatform: () => undefined,
      },
      certificateReady: () => this.certificateReady,
      webhookReachable: () => this.reachable,
      summaryOf: () => this.summary,
      rotationOf: () => this.rotating,
      delivery: () => this.delivery,
      isLeader: () => this.leading,
      again: (key, ms) => void this.later.push([key, ms]),
      vault: {
        watch: (key: string, vault: RuleVault | undefined) => void this.watched.set(key, vault?.address),
        unwatch: (key) => void this.watched.delete(key),
        health: () => this.health,
      },
      client: {
        apply: <T extends KubernetesObject>(resource: unknown, object: KubernetesObject, options: unknown) => {
          if (this.refusal !== undefined) return Promise.reject(this.refusal);
          this.applied.push({ resource, object, options });
          return Promise.resolve(object as T);
        },
      },
      clock,
      logger,
      tracer: this.tracer,
    });
  }

  /** Resolves with a scene whose policies, none yet, are loaded. */
  static async open(): Promise<ReconcilerScene> {
    const scene = new ReconcilerScene();
    await scene.enforcer.load();
    scene.told.length = 0;
    return scene;
  }

  /** With what comes of it in the next turn of the event loop. */
  async reconcile(key: string): Promise<void> {
    await this.reconciler.reconcile(key);
    await settle();
  }

  put(object: KubernetesObject): void {
    this.objects.set(`shop/${object.metadata.name}`, object);
  }

  generationInForce(): number | undefined {
    return this.rules.snapshot().rulesFor('shop')[0]?.policy.generation;
  }

  writtenStatus(): PolicyStatus {
    return this.applied.at(-1)?.object.status as PolicyStatus;
  }

  condition(type: string): string {
    const found = this.writtenStatus().conditions?.find((each) => each.type === type);
    return found === undefined ? 'absent' : `${found.status}/${found.reason}`;
  }

  /** What the informer shows after a write: a newer version with that status. */
  showWritten(version: number): void {
    const object = this.objects.get(KEY);
    if (object === undefined) throw new Error('no object');
    const metadata = { ...object.metadata, resourceVersion: String(version) };
    this.put({ ...object, metadata, status: this.writtenStatus() });
  }
}
