/**
 * Reads one ConfigMap or Secret, and keeps what injection has to know: keys, and values that may be references. Of a
 * ServiceAccount, whether its pods opt out of tokens.
 */
import { fromBase64 } from '../../core/base64.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { coreResource } from '../../core/resources.ts';
import { isForbidden } from '../../kube/errors.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { ApiError } from '../../kube/object-client.ts';
import { asObject, asString } from '../../core/json.ts';
import { OPT_OUT } from '../../core/injection/sources.ts';
import type { SourceAnswer, SourceRef } from '../../core/injection/sources.ts';

export interface SourceReading {
  readonly answer: SourceAnswer;
  /** metadata.resourceVersion of what was read. */
  readonly version?: string;
  /** The read failed: what was known before is better. */
  readonly isFailure: boolean;
  /** It was not even tried: too many others are being read. */
  readonly isBusy?: boolean;
}

/** Never rejects: why something cannot be read is a result too. */
export type ReadSource = (namespace: string, ref: SourceRef) => Promise<SourceReading>;

const REFERENCE = 'vault:';

export function sourceReader(client: Pick<ObjectClient, 'get'>): ReadSource {
  return async (namespace, ref) => {
    try {
      const object = await client.get(coreResource(ref.kind, namespace), ref.name);
      if (object === undefined) return { answer: { missing: true }, isFailure: false };
      const { resourceVersion } = object.metadata;
      const version = resourceVersion === undefined ? {} : { version: resourceVersion };
      return { answer: { data: dataOf(object, ref.kind) }, ...version, isFailure: false };
    } catch (error) {
      const isClosed = isForbidden(error);
      return { answer: { unreadable: isClosed ? forbidden(ref) : failed(error) }, isFailure: !isClosed };
    }
  };
}

/** `binaryData` of a ConfigMap never becomes environment. */
function dataOf(object: KubernetesObject, kind: SourceRef['kind']): Readonly<Record<string, string>> {
  if (kind === 'ServiceAccount') return { [OPT_OUT]: object.automountServiceAccountToken === false ? 'true' : '' };
  // fromEntries makes any key a property, even `__proto__`
  return Object.fromEntries(
    Object.entries(asObject(object.data) ?? {}).map(([key, value]) => {
      const text = kind === 'ConfigMap' ? (asString(value) ?? '') : fromBase64(asString(value) ?? '');
      return [key, text.includes(REFERENCE) ? text : ''];
    }),
  );
}

/** What to do comes early: a warning is cut at 120 characters. */
function forbidden({ kind }: SourceRef): string {
  return kind === 'Secret'
    ? 'a Role must allow the operator to get it: docs/guides/references-elsewhere.md'
    : `the ClusterRole of the operator does not allow to get ${kind}s: apply config/rbac`;
}

function failed(error: unknown): string {
  if (!(error instanceof ApiError)) throw error;
  if (error.reason === 'Busy') return error.message;
  return error.code === 0
    ? 'the API server did not answer; try again'
    : `the API server answered ${error.code}; try again`;
}
