import { asObject, asString } from '../../core/json.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';

/** Whose rights are asked for. */
export interface Subject {
  readonly name: string;
  /** Whether `check` runs as this account, so that what it sees and reaches is what the operator does. */
  readonly isSelf: boolean;
}

export interface SubjectOptions {
  /** The operator's own. */
  readonly namespace: string;
  /** Of the operator; undefined: the one that runs `check`, if it is of that namespace, else `fallback`. */
  readonly serviceAccount: string | undefined;
  readonly fallback: string;
  /** The operator runs outside of the cluster, with the kubeconfig that is given here. */
  readonly isOutside: boolean;
}

/**
 * Returns whose rights count, for somebody whom the API server calls `me`. An operator outside of the cluster has those of
 * its kubeconfig, one in the cluster those of its ServiceAccount, for all who ask.
 */
export function subjectOf(me: string, { namespace, serviceAccount, fallback, isOutside }: SubjectOptions): Subject {
  const prefix = `system:serviceaccount:${namespace}:`;
  if (isOutside || (serviceAccount === undefined && me.startsWith(prefix))) return { name: me, isSelf: true };
  const name = `${prefix}${serviceAccount ?? fallback}`;
  return { name, isSelf: name === me };
}

/** Resolves with one's name to the API server. Rejects with ApiError. */
export async function whoAmI(client: Pick<ObjectClient, 'create'>): Promise<string> {
  const resource = { group: 'authentication.k8s.io', version: 'v1', plural: 'selfsubjectreviews' };
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: { name: '' } };
  const answer = await client.create<KubernetesObject>(resource, review);
  return asString(asObject(asObject(answer.status)?.userInfo)?.username) ?? 'unknown';
}
