import { asList, asObject, asString } from '../json.ts';
import type { RawObject } from '../json.ts';
import type { VaultInjectionPolicy } from './policy.generated.ts';

/**
 * Returns when the policy's present spec was written, in milliseconds since the epoch: the newest time of a field
 * manager that owns some of the spec, by managedFields, else when the policy was created; 0 if neither is known. It is
 * read from the object alone, so it is the same in every replica and after every restart.
 */
export function writtenAt({ metadata }: Pick<VaultInjectionPolicy, 'metadata'>): number {
  const entries = (asList(metadata.managedFields) ?? []).map(asObject).filter((entry) => entry !== undefined);
  const times = entries.filter(ownsSpec).map(({ time }) => Date.parse(asString(time) ?? ''));
  const newest = Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
  if (newest > 0) return newest;
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}

function ownsSpec({ subresource, fieldsV1 }: RawObject): boolean {
  return (subresource === undefined || subresource === '') && asObject(fieldsV1)?.['f:spec'] !== undefined;
}
