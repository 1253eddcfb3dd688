/** What policies say of themselves, and whether the Vaults that they name answer. */
import { compilePolicy } from '../../core/policy/compile.ts';
import type { RuleVault } from '../../core/policy/rule.ts';
import { DEFAULTS } from '../../core/policy/policy.generated.ts';
import { asList, asObject, without } from '../../core/json.ts';
import { namesOf } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { policyValidator } from '../../core/policy/schema.ts';
import { keyOf } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { listed } from '../../core/shown.ts';
import { itemsOf } from '../../kube/items.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { slots } from '../../kube/slots.ts';
import type { PolicyStatus } from '../policies/conditions.ts';
import { POLICIES } from '../policies/reconciler.ts';
import { readAuthority } from '../vault/authorities.ts';
import { healthWithout } from '../vault/health-monitor.ts';
import type { VaultHealth, VaultPort } from '../vault/vault-port.ts';
import { counted, failed, ok, warning } from './report.ts';
import type { Finding } from './report.ts';

export interface Policy extends KubernetesObject {
  readonly status?: PolicyStatus;
}

const PAGE = 500;
// Each line is a Vault or a policy; what is more is counted.
const MOST_LINES = 20;
const AT_ONCE = 8;

/** Resolves with all policies of the cluster. Rejects with ApiError. */
export async function allPolicies(client: Pick<ObjectClient, 'list'>): Promise<readonly Policy[]> {
  const policies: Policy[] = [];
  for await (const policy of itemsOf<Policy>(client, POLICIES, { limit: PAGE })) policies.push(policy);
  return policies;
}

/** Whether the operator says that the policy is in force. */
export function isReady(policy: Policy): boolean {
  return conditionOf(policy, 'Ready')?.status === 'True';
}

/** Returns which of these kinds the policies name that are ready, by namespace. */
export function readyTargets(
  policies: readonly Policy[],
  kinds: Kinds,
): ReadonlyMap<string, ReadonlySet<WorkloadKind>> {
  const ready = Map.groupBy(policies.filter(isReady), ({ metadata }) => metadata.namespace ?? '');
  return new Map(
    [...ready].map(([namespace, some]) => {
      const named = some.flatMap(({ spec }) => asList(asObject(spec)?.targets) ?? DEFAULTS.targets);
      return [namespace, new Set(namesOf(kinds).filter((kind) => named.includes(kind)))];
    }),
  );
}

/** Returns what the status of the policies says. */
export function policyFindings(policies: readonly Policy[]): readonly Finding[] {
  const bad = policies.filter((policy) => !isReady(policy) && conditionOf(policy, 'Ready')?.reason !== 'Suspended');
  if (bad.length === 0) return [ok(`${counted(policies.length, 'policy', 'policies')}, all in force or suspended`)];
  const lines = bad.map((policy) => {
    const { reason, message } = conditionOf(policy, 'Ready') ?? {};
    const name = keyOf(policy.metadata);
    if (reason === undefined)
      return warning(`${name} has no status`, 'is the operator running, and is there a leader?');
    return warning(`${name} is not in force: ${reason}: ${message ?? ''}`);
  });
  return bounded(lines, 'policies are not in force');
}

/** Returns whether Vaults answer, as the operator has found out: it asks from where it runs. */
export function healthFindings(policies: readonly Policy[]): readonly Finding[] {
  const lines = new Map<string, Finding>();
  for (const policy of policies) {
    const { status, reason, message } = conditionOf(policy, 'VaultReachable') ?? {};
    if (status === undefined || reason === undefined || message === undefined || status === 'True') continue;
    const line = findingOf({ status, message }, [keyOf(policy.metadata)]);
    lines.set(`${reason} ${message}`, lines.get(`${reason} ${message}`) ?? line);
  }
  if (lines.size > 0) return bounded([...lines.values()], 'Vaults do not answer');
  const known = policies.filter((policy) => conditionOf(policy, 'VaultReachable')?.status === 'True').length;
  return [
    ok(
      `the operator reaches the Vaults of ${known} of ${counted(policies.length, 'policy', 'policies')}, and knows of none that fails`,
    ),
  ];
}

export interface VaultOptions {
  readonly client: Pick<ObjectClient, 'get'>;
  readonly vault: VaultPort;
  /** The CRD of this version, parsed. */
  readonly crd: unknown;
  readonly injectorImage: string;
}

/** Asks each distinct Vault that a valid policy names, as the operator does. */
export async function vaultFindings(
  policies: readonly Policy[],
  { client, vault, crd, injectorImage }: VaultOptions,
): Promise<readonly Finding[]> {
  const named = vaultsOf(policies, crd, injectorImage);
  const run = slots({ active: AT_ONCE, activeOfGroup: AT_ONCE, waiting: Infinity }, () => new Error('unreachable'));
  const lines = await Promise.all(
    [...named.values()].map(({ vault: one, users }) =>
      run('', async () => {
        const [user = ''] = users;
        return findingOf(await healthOf(one, user.slice(0, user.indexOf('/')), client, vault), users);
      }),
    ),
  );
  if (lines.length === 0) return [ok('no policy names a Vault')];
  const bad = lines.filter(({ level }) => level !== 'Ok');
  return bad.length === 0 ? bounded(lines, 'Vaults answer') : bounded(bad, 'Vaults do not answer');
}

interface Named {
  readonly vault: RuleVault;
  readonly users: string[];
}

function vaultsOf(policies: readonly Policy[], crd: unknown, injectorImage: string): ReadonlyMap<string, Named> {
  const validate = policyValidator(crd);
  const found = new Map<string, Named>();
  // which image and audience it is says nothing about its Vault
  const defaults = {
    injectorImage: injectorImage || 'any',
    injectorImagePullPolicy: 'IfNotPresent',
    tokenAudience: '',
    apiAudiences: [],
  } as const;
  for (const policy of policies) {
    // a status of another version says nothing about the spec
    const checked = validate(without(policy, 'status'));
    const compiled = checked.ok ? compilePolicy(checked.policy, defaults) : undefined;
    if (compiled?.ok !== true || compiled.suspended) continue;
    const { vault } = compiled.rule;
    const { caRef } = vault.tls;
    const id = JSON.stringify([vault.address, vault.tls, caRef === undefined ? '' : policy.metadata.namespace]);
    const named = found.get(id) ?? { vault, users: [] };
    named.users.push(keyOf(policy.metadata));
    found.set(id, named);
  }
  return found;
}

async function healthOf(
  { address, tls: { caBundle, caRef, serverName } }: RuleVault,
  namespace: string,
  client: Pick<ObjectClient, 'get'>,
  vault: VaultPort,
): Promise<VaultHealth> {
  if (caRef === undefined) return vault.health({ address, caBundle, serverName });
  const authority = await readAuthority(client, namespace, caRef);
  if (!('caBundle' in authority)) return healthWithout(authority);
  return vault.health({ address, caBundle: authority.caBundle, serverName });
}

function findingOf(
  { status, message }: Pick<VaultHealth, 'message'> & { status: string },
  users: readonly string[],
): Finding {
  const line = `${message} (${listed(users)})`;
  if (status === 'True') return ok(line);
  return status === 'False' ? failed(line) : warning(line);
}

function conditionOf(
  { status }: Policy,
  type: string,
): { status: string; reason: string; message: string } | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

function bounded(lines: readonly Finding[], what: string): readonly Finding[] {
  const more = lines.length - MOST_LINES;
  if (more <= 0) return lines;
  // the worst first: one that is not shown must not make the check look better than it is
  const sorted = [...lines].sort((a, b) => weightOf(a) - weightOf(b));
  const { level = 'Ok' } = sorted[MOST_LINES] ?? {};
  return [...sorted.slice(0, MOST_LINES), { level, message: `${more} more ${what}` }];
}

function weightOf({ level }: Finding): number {
  return ['Failed', 'Warning', 'Skipped', 'Ok'].indexOf(level);
}
