import { OWN_KEYS } from '../../core/injection/annotations.ts';
import { asObject } from '../../core/json.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { PROBE_NAME } from '../configuration/configuration.ts';
import { plain } from '../admission.ts';
import type { Answer } from '../admission.ts';
import { BadReview, decodeReview, encodeReview } from '../review.ts';

/** Returns the object to create as a dry run. */
export function probeObject(namespace: string, labels: Readonly<Record<string, string>>): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: PROBE_NAME,
      namespace,
      labels: { ...labels, [OWN_KEYS.probe]: 'true' },
      // there to begin with, so that the webhook need not tell whether it is
      annotations: { [OWN_KEYS.probedBy]: '' },
    },
  };
}

/** Returns the replica that has reviewed the object, by the annotation; undefined if none has. */
export function reviewedBy({ metadata }: KubernetesObject): string | undefined {
  const replica = metadata.annotations?.[OWN_KEYS.probedBy];
  return replica === '' ? undefined : replica;
}

/**
 * Returns what answers the reviews of the probe: takes the request's body, returns the response. It puts the replica's
 * name into the object, so that the result of the dry run shows that the review has arrived. It never throws.
 */
export function createProbeAnswer(replica: string): (body: Buffer) => Answer {
  return (body) => {
    try {
      const { uid, object } = decodeReview(body);
      const annotations = asObject(asObject(object?.metadata)?.annotations);
      const path = `/metadata/annotations/${OWN_KEYS.probedBy.replaceAll('/', '~1')}`;
      const patch = [
        ...(annotations === undefined ? [{ op: 'add' as const, path: '/metadata/annotations', value: {} }] : []),
        { op: 'add' as const, path, value: replica },
      ];
      return { status: 200, contentType: 'application/json', body: encodeReview({ uid, allowed: true, patch }) };
    } catch (error) {
      if (error instanceof BadReview) return plain(error.status, error.message);
      return plain(500, 'internal error: the review of the probe failed');
    }
  };
}
