/**
 * Reads the credentials that a pod would pull its images with: one of the places where the operator reads Secrets of
 * other namespaces.
 */
import { fromBase64 } from '../../core/base64.ts';
import { isObjectName } from '../../core/object-names.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { asList, asObject, asString } from '../../core/json.ts';
import { coreResource } from '../../core/resources.ts';
import { nameOf } from '../../core/injection/pod.ts';
import { readDockerConfigJson, readDockercfg } from './docker-config.ts';
import type { KeyringEntry } from './docker-config.ts';

/** Who pulls: a pod of a namespace, according to its template. */
export interface Puller {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Names in imagePullSecrets of the pod template. */
  readonly pullSecrets: readonly string[];
}

export interface PullSecrets {
  readonly entries: readonly KeyringEntry[];
  /** Names of Secrets that the operator may not read, usually because a Role is missing. */
  readonly unread: readonly string[];
}

/** Never rejects: what cannot be read is named in `unread`. */
export type ReadPullSecrets = (puller: Puller) => Promise<PullSecrets>;

// A pod has one or two. The rest are not read, so that a template with a thousand names does not cause a thousand
// requests.
const MOST_SECRETS = 16;

export function pullSecretReader(client: Pick<ObjectClient, 'get'>): ReadPullSecrets {
  return async (puller) => {
    const names = (await namesOf(puller, client)).filter(isObjectName).slice(0, MOST_SECRETS);
    const read = await Promise.all(names.map((name) => entriesOf(puller.namespace, name, client)));
    return {
      entries: read.flatMap((entries) => entries ?? []),
      unread: names.filter((_, index) => read[index] === undefined),
    };
  };
}

/**
 * Returns those of the pod, or if it names none, those of its ServiceAccount, as the API server's ServiceAccount
 * admission sets them (k8s.io/kubernetes/plugin/pkg/admission/serviceaccount).
 */
async function namesOf(
  { namespace, serviceAccount, pullSecrets }: Puller,
  client: Pick<ObjectClient, 'get'>,
): Promise<readonly string[]> {
  if (pullSecrets.length > 0) return pullSecrets;
  if (!isObjectName(serviceAccount)) return [];
  const account = await client.get(coreResource('ServiceAccount', namespace), serviceAccount).catch(() => undefined);
  return (asList(account?.imagePullSecrets) ?? []).map(nameOf).filter((name) => name !== undefined);
}

/**
 * Resolves with no entries for a Secret that is missing or of another type, as for the kubelet; undefined for one that
 * may not be read.
 */
async function entriesOf(
  namespace: string,
  name: string,
  client: Pick<ObjectClient, 'get'>,
): Promise<readonly KeyringEntry[] | undefined> {
  let secret: KubernetesObject | undefined;
  try {
    secret = await client.get(coreResource('Secret', namespace), name);
  } catch {
    return undefined;
  }
  const text = (key: string): string => fromBase64(asString(asObject(secret?.data)?.[key]) ?? '');
  switch (secret?.type) {
    case 'kubernetes.io/dockerconfigjson':
      return readDockerConfigJson(text('.dockerconfigjson'));
    case 'kubernetes.io/dockercfg':
      return readDockercfg(text('.dockercfg'));
    default:
      return [];
  }
}
