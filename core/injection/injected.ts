import { makerOf, templateOf } from '../kinds.ts';
import type { WorkloadKind } from '../kinds.ts';
import type { RawObject } from '../json.ts';
import { annotation } from './annotations.ts';
import { annotationsOf } from './pod.ts';

/**
 * Whether the template of a stored workload says that it is injected, by whatever rule. What a controller has made from an
 * injected template is not: that template is.
 */
export function isInjected(kind: WorkloadKind, object: RawObject): boolean {
  return hasInjectedTemplate(kind, object) && makerOf(kind, object) === undefined;
}

/** The same, whatever has made it. */
export function hasInjectedTemplate(kind: WorkloadKind, object: RawObject): boolean {
  return annotationsOf(templateOf(kind, object))?.[annotation.injected] !== undefined;
}
