import { KINDS, makerOf, templateOf } from '../kinds.ts';
import type { Kinds, WorkloadKind } from '../kinds.ts';
import type { RawObject } from '../json.ts';
import { annotation } from './annotations.ts';
import { annotationsOf } from './pod.ts';

/**
 * Whether the template of a stored workload says that it is injected, by whatever rule. What a controller has made from an
 * injected template is not: that template is.
 */
export function isInjected(kind: WorkloadKind, object: RawObject, kinds: Kinds = KINDS): boolean {
  return hasInjectedTemplate(kind, object, kinds) && makerOf(kind, object, kinds) === undefined;
}

/** The same, whatever has made it. */
export function hasInjectedTemplate(kind: WorkloadKind, object: RawObject, kinds: Kinds = KINDS): boolean {
  return annotationsOf(templateOf(kind, object, kinds))?.[annotation.injected] !== undefined;
}
