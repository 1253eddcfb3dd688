/**
 * The environment of a container as the kubelet will build it from the manifest and the objects that it names: envFrom
 * in its order, then env over it (makeEnvironmentVariables in k8s.io/kubernetes/pkg/kubelet). Any key becomes a
 * variable, as it does from Kubernetes 1.34 on; older kubelets leave out keys that are not valid names in a shell.
 */
import type { Rule, SourceMode } from '../policy/rule.ts';
import { literalReference } from './environment.ts';
import type { ReferringVariable } from './environment.ts';
import { asList, asObject, asString, own } from '../json.ts';
import type { RawObject } from '../json.ts';
import { nameOf } from './pod.ts';
import { parseValue } from './references.ts';
import { sourceName } from './sources.ts';
import type { KnownSources, SourceRef } from './sources.ts';

export interface SourcedEnvironment {
  /** The variables that refer to Vault, or try to, wherever they come from. */
  readonly references: readonly ReferringVariable[];
  /** Some of it comes from an object that counts as referring to Vault without being read. */
  readonly isAssumed: boolean;
  /** Objects that must not be read. */
  readonly ignored: readonly SourceRef[];
  /** Objects that should be read, and have not been yet. */
  readonly unasked: readonly SourceRef[];
  readonly unreadable: readonly { readonly ref: SourceRef; readonly why: string }[];
  /** What the container cannot start without and does not exist yet: `ConfigMap x`, `key K of Secret y`. */
  readonly absent: readonly string[];
}

/** Whether anything in the container's environment comes from a ConfigMap or a Secret: rare, so this check is fast. */
export function isSourced(container: RawObject): boolean {
  const envFrom = asList(container.envFrom);
  if (envFrom !== undefined && envFrom.length > 0) return true;
  for (const item of asList(container.env) ?? []) {
    const valueFrom = (item as RawObject | null)?.valueFrom;
    if (valueFrom === undefined) continue;
    const from = asObject(valueFrom);
    if (from !== undefined && referenceIn(from, KEY_REFERENCES) !== undefined) return true;
  }
  return false;
}

/** @param known what is known about the objects; left out if nothing is */
export function sourcedEnvironment(
  container: RawObject,
  modes: Rule['sources'],
  known: KnownSources | undefined,
): SourcedEnvironment {
  const look = new Look(modes, known);
  // A later undefined removes the reference of an earlier one.
  const variables = new Map<string, ReferringVariable | undefined>();
  for (const item of asList(container.envFrom) ?? []) {
    const source = asObject(item);
    const reference = source && referenceIn(source, OBJECT_REFERENCES);
    if (source === undefined || reference === undefined) continue;
    const prefix = asString(source.prefix) ?? '';
    for (const [key, value] of Object.entries(look.dataOf(reference) ?? {})) {
      const name = `${prefix}${key}`;
      variables.set(name, heldReference(name, value, reference.ref));
    }
  }
  for (const item of asList(container.env) ?? []) {
    const variable = asObject(item);
    const name = nameOf(variable) ?? '';
    const value = asString(variable?.value) ?? '';
    const from = value === '' ? asObject(variable?.valueFrom) : undefined;
    const reference = from && referenceIn(from, KEY_REFERENCES);
    if (reference === undefined) {
      variables.set(name, literalReference(name, value));
      continue;
    }
    const held = look.valueOf(reference, asString(reference.fields.key) ?? '');
    if (held !== undefined) variables.set(name, heldReference(name, held, reference.ref));
  }
  return look.result([...variables.values()].filter((variable) => variable !== undefined));
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
function heldReference(name: string, value: string, source: SourceRef): ReferringVariable | undefined {
  const parsed = parseValue(name, value);
  return parsed.refers ? { name, source, ...parsed } : undefined;
}

/** Looks into objects as far as the policy wants it and they are known, and notes the rest. */
class Look {
  readonly #modes: Rule['sources'];
  readonly #known: KnownSources | undefined;
  #isAssumed = false;
  readonly #ignored = new Map<string, SourceRef>();
  readonly #unasked = new Map<string, SourceRef>();
  readonly #unreadable = new Map<string, { readonly ref: SourceRef; readonly why: string }>();
  readonly #absent = new Set<string>();

  constructor(modes: Rule['sources'], known: KnownSources | undefined) {
    this.#modes = modes;
    this.#known = known;
  }

  /** Undefined if the object does not exist or nothing is known about it. */
  dataOf({ ref, isOptional }: ObjectReference): Readonly<Record<string, string>> | undefined {
    const name = sourceName(ref);
    const mode = this.#modeOf(ref);
    if (mode === 'Assume') this.#isAssumed = true;
    if (mode === 'Ignore') this.#ignored.set(name, ref);
    if (mode !== 'Read') return undefined;
    const answer = this.#known?.(ref);
    if (answer === undefined) this.#unasked.set(name, ref);
    else if ('data' in answer) return answer.data;
    else if ('unreadable' in answer) this.#unreadable.set(name, { ref, why: answer.unreadable });
    else if (!isOptional) this.#absent.add(name);
    return undefined;
  }

  valueOf(reference: ObjectReference, key: string): string | undefined {
    const data = this.dataOf(reference);
    if (data === undefined) return undefined;
    const value = asString(own(data, key));
    if (value === undefined && !reference.isOptional) this.#absent.add(`key ${key} of ${sourceName(reference.ref)}`);
    return value;
  }

  result(references: readonly ReferringVariable[]): SourcedEnvironment {
    return {
      references,
      isAssumed: this.#isAssumed,
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
