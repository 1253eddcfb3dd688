import { diff } from '../../core/injection/patch.ts';
import { asObject } from '../../core/json.ts';
import { mark } from '../../core/marks.ts';
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
      labels: { ...labels, [mark.probe]: 'true' },
      annotations: { [mark.probedBy]: '' },
    },
  };
}

/** Whether a replica has reviewed the created object. */
export function isReviewed(created: KubernetesObject): boolean {
  return reviewerOf(created) !== '';
}

/** Returns the name of the replica that has reviewed it; '' if none has. */
export function reviewerOf({ metadata }: KubernetesObject): string {
  return metadata.annotations?.[mark.probedBy] ?? '';
}

/**
 * Returns what answers the reviews of the probe: takes the request's body, returns the response. It puts the replica's
 * name into the object, so that the result of the dry run shows that the review has arrived. It never throws.
 */
export function createProbeAnswer(replica: string): (body: Buffer) => Answer {
  return (body) => {
    try {
      const { uid, object } = decodeReview(body);
      const metadata = asObject(object?.metadata);
      const annotations = { ...asObject(metadata?.annotations), [mark.probedBy]: replica };
      const patch = diff(metadata, { ...metadata, annotations }, '/metadata');
      return { status: 200, contentType: 'application/json', body: encodeReview({ uid, allowed: true, patch }) };
    } catch (error) {
      if (error instanceof BadReview) return plain(error.status, error.message);
      return plain(500, 'internal error: the review of the probe failed');
    }
  };
}
