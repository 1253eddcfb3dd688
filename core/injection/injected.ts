import { templateOf } from '../kinds.ts';
import type { WorkloadKind } from '../kinds.ts';
import type { RawObject } from '../json.ts';
import { annotation } from './annotations.ts';
import { annotationsOf } from './pod.ts';

/** Whether the template of a stored workload says that it is injected, by whatever rule. */
export function isInjected(kind: WorkloadKind, object: RawObject): boolean {
  return annotationsOf(templateOf(kind, object))?.[annotation.injected] !== undefined;
}
