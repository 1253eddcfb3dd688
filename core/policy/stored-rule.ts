/**
 * A rule as it is stored in the cluster, for the time when its policy cannot be used any more. The rule itself, not the
 * policy's spec: a newer operator that no longer accepts the spec still knows what was in force. Pure.
 */
import { AUTH_METHODS } from '../auth-methods.ts';
import { asList, asObject, without } from '../json.ts';
import type { RawObject } from '../json.ts';
import { isNameOfAdded, KINDS } from '../kinds.ts';
import { compilePolicy } from './compile.ts';
import { isPlaintext } from './faults.ts';
import type { VaultInjectionPolicySpec } from './policy.generated.ts';
import { DEFAULTS } from './policy.generated.ts';
import type { Rule } from './rule.ts';

/** Returns the rule as a JSON object. What identifies the policy is left out: the object that owns it says that. */
export function encodeRule({ policy, ...content }: Rule): RawObject {
  return { generation: policy.generation, rule: content };
}

/**
 * Returns a rule of the policy `policy` from what encodeRule() has returned, perhaps in an earlier version of the
 * operator: fields that it did not have get their defaults. Undefined if it is no such object.
 */
export function decodeRule(data: unknown, policy: Rule['policy']): Rule | undefined {
  const stored = asObject(data);
  const content = asObject(stored?.rule);
  const generation = stored?.generation;
  if (content === undefined || typeof generation !== 'number') return undefined;
  const merged = completed(content, exampleOf(policy));
  if (merged === undefined || !isSound(merged)) return undefined;
  return { ...merged, policy: { ...policy, generation }, vault: withConsequences(merged.vault) };
}

/**
 * Says what rules did not say in earlier versions. One with plain http was in force without a word about it, and goes on
 * until its policy is corrected: vault-env would not start a program without the word.
 */
function withConsequences(vault: Rule['vault']): Rule['vault'] {
  const { address, allowPlaintext, auth } = vault;
  const isOwn = AUTH_METHODS[auth.method].takesToken && auth.audience === '';
  return {
    ...vault,
    allowPlaintext: allowPlaintext || isPlaintext(address),
    auth: { ...auth, isForAPIServer: auth.isForAPIServer || isOwn },
  };
}

/** Enumerations decide what admission does; the types of all other fields are compared with the example. */
function isSound({ failurePolicy, when, targets, injector, vault }: Rule): boolean {
  return (
    Object.hasOwn(AUTH_METHODS, vault.auth.method) &&
    ['Fail', 'Ignore'].includes(failurePolicy) &&
    ['References', 'Annotation', 'Always'].includes(when) &&
    ['InitContainer', 'ImageVolume'].includes(injector.delivery) &&
    (injector.resources === undefined || asObject(injector.resources) !== undefined) &&
    targets.every((kind) => Object.hasOwn(KINDS, kind) || isNameOfAdded(kind))
  );
}

/** A rule with a value in every field that rules always have, and none in those that some of them have. */
function exampleOf({ namespace, name }: Rule['policy']): Rule {
  const spec = {
    ...DEFAULTS,
    process: without(DEFAULTS.process, 'leaseEnd'),
    vault: { ...DEFAULTS.vault, address: 'https://example', tls: {} },
    environment: { ...DEFAULTS.environment, fromPaths: [] },
  } as unknown as VaultInjectionPolicySpec;
  const head = { apiVersion: 'vaultinjection.dev/v1alpha1', kind: 'VaultInjectionPolicy' } as const;
  const injector = {
    injectorImage: 'example',
    injectorImagePullPolicy: 'IfNotPresent',
    tokenAudience: 'example',
    apiAudiences: [],
  } as const;
  const compiled = compilePolicy({ ...head, metadata: { namespace, name }, spec }, injector);
  if (!compiled.ok || compiled.suspended) throw new Error('unreachable: the defaults are a valid policy');
  return compiled.rule;
}

/**
 * Returns `value` with the fields of `example` that it lacks; undefined if a field has another type than in the example.
 * Fields that the example does not have stay, and so do the elements of lists.
 */
function completed<T>(value: unknown, example: T): T | undefined {
  const model = asObject(example);
  if (model === undefined) {
    const isSame = asList(example) === undefined ? typeof value === typeof example : asList(value) !== undefined;
    return isSame ? (value as T) : undefined;
  }
  const object = asObject(value);
  if (object === undefined) return undefined;
  const fields = Object.entries(model).map(([key, field]) => [
    key,
    Object.hasOwn(object, key) ? completed(object[key], field) : field,
  ]);
  if (fields.some(([key = '', field]) => field === undefined && model[key as string] !== undefined)) return undefined;
  return { ...object, ...Object.fromEntries(fields) } as T;
}
