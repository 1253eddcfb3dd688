import { isLeftToMaker, KINDS, templateOf } from '../kinds.ts';
import type { Kinds, WorkloadKind } from '../kinds.ts';
import type { RawObject } from '../json.ts';
import { annotation } from './annotations.ts';
import { annotationsOf } from './pod.ts';

/**
 * Whether the template of a stored workload says that it is injected, by whatever rule. What is left to its maker is not:
 * the old ReplicaSets of an injected Deployment keep its earlier templates, and nothing has to be done about them.
 */
export function isInjected(kind: WorkloadKind, object: RawObject, kinds: Kinds = KINDS): boolean {
  if (isLeftToMaker(kind, object, kinds)) return false;
  return annotationsOf(templateOf(kind, object, kinds))?.[annotation.injected] !== undefined;
}
