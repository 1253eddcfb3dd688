/**
 * The environment of a container as the kubelet will build it from the manifest and the objects that it names: envFrom
 * in its order, then env over it (makeEnvironmentVariables in k8s.io/kubernetes/pkg/kubelet). Any key becomes a
 * variable, as it does from Kubernetes 1.34 on; older kubelets leave out keys that are not valid names in a shell.
 */
import type { Rule, SourceMode } from '../policy/rule.ts';
import { EnvironmentBudget } from './budget.ts';
import { literalReference } from './environment.ts';
import type { ReferringVariable } from './environment.ts';
import { asList, asObject, asString, own } from '../json.ts';
import type { RawObject } from '../json.ts';
import { matchesAny } from '../policy/match.ts';
import { isObjectName } from '../object-names.ts';
import { shortened } from '../shown.ts';
import { nameOf } from './pod.ts';
import { parseValue } from './references.ts';
import { sourceName } from './sources.ts';
import type { KnownSources, SourceRef } from './sources.ts';

export interface SourcedEnvironment {
  /** The variables that refer to Vault, or try to, wherever they come from. */
  readonly references: readonly ReferringVariable[];
  /** Texts of other objects that contain "vault:", by the variables that hold them. */
  readonly held: ReadonlyMap<string, string>;
  /** All of some object becomes variables (envFrom): their names are not in the manifest. */
  readonly hasAll: boolean;
  /** Some of it comes from an object that counts as referring to Vault without being read. */
  readonly isAssumed: boolean;
  /** Variables from such objects, and begins of the names of others. */
  readonly assumed: { readonly names: readonly string[]; readonly prefixes: readonly string[] };
  /** Objects that must not be read. */
  readonly ignored: readonly SourceRef[];
  /** Objects that should be read, and have not been yet. */
  readonly unasked: readonly SourceRef[];
  readonly unreadable: readonly { readonly ref: SourceRef; readonly why: string }[];
  /** What the container cannot start without and does not exist yet: `ConfigMap x`, `the key for NAME in Secret y`. */
  readonly absent: readonly string[];
}

/** Whether anything in the container's environment comes from a ConfigMap or a Secret: rare, so this check is fast. */
export function isSourced(container: RawObject): boolean {
  return originOf(container) === 'Objects';
}

/**
 * Returns where the container's environment comes from besides its manifest: from ConfigMaps and Secrets, perhaps among
 * others; or only from what others than the author of the workload may write into the pod. Undefined if from neither.
 */
export function originOf(container: RawObject): 'Objects' | 'Pod' | undefined {
  const envFrom = asList(container.envFrom);
  if (envFrom !== undefined && envFrom.length > 0) return 'Objects';
  let origin: 'Pod' | undefined;
  for (const item of asList(container.env) ?? []) {
    const valueFrom = (item as RawObject | null)?.valueFrom;
    if (valueFrom === undefined) continue;
    const from = asObject(valueFrom);
    if (from === undefined) continue;
    if (referenceIn(from, KEY_REFERENCES) !== undefined) return 'Objects';
    if (isFile(from) || isAnnotation(from)) origin = 'Pod';
  }
  return origin;
}

/** Whether a variable with this `valueFrom` comes from a file of the pod. */
export function isFile(from: RawObject): boolean {
  return asObject(from.fileKeyRef) !== undefined;
}

/** Whether it comes from annotations or labels of the pod. */
export function isAnnotation(from: RawObject): boolean {
  const path = asString(asObject(from.fieldRef)?.fieldPath);
  return path !== undefined && (path.startsWith('metadata.annotations') || path.startsWith('metadata.labels'));
}

/**
 * @param known what is known about the objects; left out if nothing is
 * @param budget of the workload: if it is used up, the result is not whole
 * @param literals patterns of names of variables that are text whatever they hold (environment.literals)
 */
export function sourcedEnvironment(
  container: RawObject,
  modes: Rule['sources'],
  known: KnownSources | undefined,
  budget = new EnvironmentBudget(),
  literals: readonly string[] = [],
): SourcedEnvironment {
  const look = new Look(modes, known);
  // A later undefined removes the reference of an earlier one.
  const variables = new Map<string, ReferringVariable | undefined>();
  const held = new Map<string, string>();
  const hold = (name: string, value: string, { ref }: ObjectReference, isKey: boolean): void => {
    const variable = heldReference(name, value, ref, isKey);
    variables.set(name, variable !== undefined && matchesAny(literals, name) ? undefined : variable);
    if (value.includes('vault:')) held.set(name, value);
    else held.delete(name);
  };
  let hasAll = false;
  const whole = (): SourcedEnvironment => {
    const references = [...variables.values()].filter((variable) => variable !== undefined);
    return { references, held, hasAll, ...look.result() };
  };
  for (const item of asList(container.envFrom) ?? []) {
    const source = asObject(item);
    const reference = source && referenceIn(source, OBJECT_REFERENCES);
    if (source === undefined || reference === undefined) continue;
    hasAll = true;
    const prefix = asString(source.prefix) ?? '';
    if (look.isAssumed(reference)) look.assumed.prefixes.add(prefix);
    const data = look.dataOf(reference) ?? {};
    // JSON.parse and Object.fromEntries have made it: all that it has is its own
    for (const key in data) {
      const value = data[key] ?? '';
      if (!budget.takeKey(value)) return whole();
      hold(`${prefix}${key}`, value, reference, true);
    }
  }
  for (const item of asList(container.env) ?? []) {
    const variable = asObject(item);
    const name = nameOf(variable) ?? '';
    const value = asString(variable?.value) ?? '';
    const from = value === '' ? asObject(variable?.valueFrom) : undefined;
    const reference = from && referenceIn(from, KEY_REFERENCES);
    if (reference === undefined) {
      held.delete(name);
      variables.set(name, literalReference(name, value, literals));
      continue;
    }
    if (look.isAssumed(reference)) look.assumed.names.add(name);
    const text = look.valueOf(reference, asString(reference.fields.key) ?? '', name);
    if (text !== undefined && !budget.takeKey(text)) return whole();
    if (text !== undefined) hold(name, text, reference, false);
    // Without an optional key, the value of envFrom stays.
    else if (!reference.isOptional) held.delete(name);
  }
  return whole();
}

interface ObjectReference {
  readonly ref: SourceRef;
  readonly isOptional: boolean;
  readonly fields: RawObject;
}

type Fields = readonly (readonly [field: string, kind: SourceRef['kind']])[];
const OBJECT_REFERENCES: Fields = [
  ['configMapRef', 'ConfigMap'],
  ['secretRef', 'Secret'],
];
const KEY_REFERENCES: Fields = [
  ['configMapKeyRef', 'ConfigMap'],
  ['secretKeyRef', 'Secret'],
];

function referenceIn(holder: RawObject, fields: Fields): ObjectReference | undefined {
  for (const [field, kind] of fields) {
    const reference = asObject(holder[field]);
    const name = nameOf(reference);
    if (reference === undefined || name === undefined || name === '') continue;
    return { ref: { kind, name }, isOptional: reference.optional === true, fields: reference };
  }
  return undefined;
}

/** The kubelet expands nothing in what comes from an object: its text is what the program sees. */
function heldReference(name: string, value: string, source: SourceRef, isKey: boolean): ReferringVariable | undefined {
  const parsed = parseValue(name, value);
  return parsed.refers ? { name, source, ...(isKey && { isKey }), ...parsed } : undefined;
}

/** Looks into objects as far as the policy wants it and they are known, and notes the rest. */
class Look {
  readonly #modes: Rule['sources'];
  readonly #known: KnownSources | undefined;
  readonly assumed = { names: new Set<string>(), prefixes: new Set<string>() };
  readonly #ignored = new Map<string, SourceRef>();
  readonly #unasked = new Map<string, SourceRef>();
  readonly #unreadable = new Map<string, { readonly ref: SourceRef; readonly why: string }>();
  readonly #absent = new Set<string>();

  constructor(modes: Rule['sources'], known: KnownSources | undefined) {
    this.#modes = modes;
    this.#known = known;
  }

  isAssumed({ ref }: ObjectReference): boolean {
    return this.#modeOf(ref) === 'Assume';
  }

  /** Undefined if the object does not exist or nothing is known about it. */
  dataOf({ ref, isOptional }: ObjectReference): Readonly<Record<string, string>> | undefined {
    const name = sourceName(ref);
    const mode = this.#modeOf(ref);
    if (mode === 'Ignore') this.#ignored.set(name, ref);
    if (mode !== 'Read') return undefined;
    if (!isObjectName(ref.name)) {
      // none of such a name can exist; API servers refuse it after us, and older ones take it in a reference to a key
      if (!isOptional) this.#absent.add(`${ref.kind} ${shortened(ref.name)}, which is no name of an object,`);
      return undefined;
    }
    const answer = this.#known?.(ref);
    if (answer === undefined) this.#unasked.set(name, ref);
    else if ('data' in answer) return answer.data;
    else if ('unreadable' in answer) this.#unreadable.set(name, { ref, why: answer.unreadable });
    else if (!isOptional) this.#absent.add(name);
    return undefined;
  }

  valueOf(reference: ObjectReference, key: string, variable: string): string | undefined {
    const data = this.dataOf(reference);
    if (data === undefined) return undefined;
    const value = asString(own(data, key));
    if (value === undefined && !reference.isOptional) {
      this.#absent.add(`the key for ${shortened(variable)} in ${sourceName(reference.ref)}`);
    }
    return value;
  }

  result(): Omit<SourcedEnvironment, 'references' | 'held' | 'hasAll'> {
    return {
      isAssumed: this.assumed.names.size + this.assumed.prefixes.size > 0,
      assumed: { names: [...this.assumed.names], prefixes: [...this.assumed.prefixes] },
      ignored: [...this.#ignored.values()],
      unasked: [...this.#unasked.values()],
      unreadable: [...this.#unreadable.values()],
      absent: [...this.#absent],
    };
  }

  #modeOf({ kind }: SourceRef): SourceMode {
    return kind === 'ConfigMap' ? this.#modes.configMaps : this.#modes.secrets;
  }
}
