/**
 * What a workload's annotations ask for, and how much of it the policy allows. An annotation that is unknown, misspelt,
 * not allowed or invalid changes nothing, and a warning says why.
 */
import {
  annotation,
  ANNOTATION_NAMES,
  ANNOTATION_PREFIX,
  annotationRow,
  ANNOTATIONS,
  asBoolean,
  isWish,
  optionsOfRule,
} from './annotations.ts';
import type { EffectiveOptions } from './annotations.ts';
import { nearestOf } from '../edit-distance.ts';
import type { Rule } from '../policy/rule.ts';
import { own } from '../json.ts';
import type { RawObject } from '../json.ts';
import { annotationsOf } from './pod.ts';

type Warn = (text: string) => void;

export interface Wishes {
  /** What the annotation says; undefined if there is none. */
  readonly inject: boolean | undefined;
  /** Name of the policy that the workload chooses. */
  readonly policy: string | undefined;
  /** Values by the name that follows the prefix. */
  readonly values: ReadonlyMap<string, string>;
}

const WISHES: readonly string[] = ANNOTATION_NAMES.filter((name) => isWish(ANNOTATIONS[name]));
// More warnings than that are only counted.
const MAX_SUGGESTIONS = 10;

/** Reads the annotations of the workload and of its pod template; if both have one, the template's counts. */
export function readWishes(workload: RawObject, template: RawObject, warn: Warn): Wishes {
  const values = new Map<string, string>();
  for (const annotations of [annotationsOf(template), annotationsOf(workload)]) {
    for (const key in annotations) {
      if (!key.startsWith(ANNOTATION_PREFIX)) continue;
      const name = key.slice(ANNOTATION_PREFIX.length);
      const value = own(annotations, key);
      const row = annotationRow(name);
      // an unknown one is taken for a misspelt one
      const isMeant = row === undefined || isWish(row);
      if (typeof value === 'string' && isMeant && !values.has(name)) values.set(name, value);
    }
  }
  const apply = own(annotationsOf(workload) ?? {}, annotation.apply);
  if (apply !== undefined && apply !== 'now') warn(`${annotation.apply}: ignored, write "now"`);
  if (values.size === 0) return { inject: undefined, policy: undefined, values };
  const unknown = [...values.keys()].filter((name) => !WISHES.includes(name));
  for (const [index, name] of unknown.entries()) warn(unknownAnnotation(name, index < MAX_SUGGESTIONS));
  const policy = values.get('policy')?.trim();
  return { inject: readInject(values.get('inject'), warn), policy: policy === '' ? undefined : policy, values };
}

/** Returns the rule's options with the changes of allowed annotations. */
export function optionsOf(rule: Rule, { values }: Wishes, warn: Warn): EffectiveOptions {
  let options = optionsOfRule(rule);
  for (const [name, value] of values) {
    const override = annotationRow(name)?.override;
    if (override === undefined) continue;
    if (!rule.overrides.allow.includes(override.allow)) {
      warn(
        `${ANNOTATION_PREFIX}${name}: ignored, policy ${rule.policy.name} does not allow it (overrides.allow ${override.allow})`,
      );
      continue;
    }
    const parsed = override.parse(value, rule);
    if (typeof parsed === 'string') warn(`${ANNOTATION_PREFIX}${name}: ignored, ${parsed}`);
    else options = { ...options, ...parsed };
  }
  return options;
}

function readInject(value: string | undefined, warn: Warn): boolean | undefined {
  if (value === undefined) return undefined;
  const asked = asBoolean(value);
  if (asked === undefined) warn(`${annotation.inject}: ignored, write "true" or "false"`);
  return asked;
}

function unknownAnnotation(name: string, suggest: boolean): string {
  const text = `${ANNOTATION_PREFIX}${name}: ignored, there is no such annotation`;
  if (!suggest) return text;
  const nearest = nearestOf(name, WISHES);
  return nearest === undefined ? text : `${text}; did you mean ${nearest}?`;
}
