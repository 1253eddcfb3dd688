/** What the operator needs of the cluster itself: a version, the CRD, a namespace. */
import { listed } from '../../core/shown.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { lackOfSchema } from '../../core/policy/crd-lack.ts';
import type { ApiClient } from '../../kube/api-client.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { serverVersion } from '../../kube/server-version.ts';
import { isTooOld, lackingLines, USE_A_NEWER_ONE } from '../../core/kubernetes-versions.ts';
import { POLICIES } from '../policies/reconciler.ts';
import { failed, ok, warning } from './report.ts';
import type { Finding } from './report.ts';
import { schemaOfServer } from './served-schema.ts';

const INSTALL_CRD = 'kubectl apply --server-side -f crds/';

/** Rejects with ApiError. */
export async function versionFindings(
  client: Pick<ApiClient, 'document'>,
  server: string,
): Promise<readonly Finding[]> {
  const version = await serverVersion(client);
  const answers = `Kubernetes ${version} answers at ${server}`;
  if (isTooOld(version)) return [failed(`${answers}, which is too old`, USE_A_NEWER_ONE)];
  return [ok(answers), ...lackingLines(version).map((line) => ok(line))];
}

/** Compares what the API server publishes about policies with the CRD of this version. Rejects with ApiError. */
export async function crdFindings(client: Pick<ApiClient, 'document'>, crd: unknown): Promise<readonly Finding[]> {
  const { group, version, plural } = POLICIES;
  const name = `${plural}.${group}`;
  const document = await client.document(`/openapi/v3/apis/${group}/${version}`).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  const installed = schemaOfServer(document);
  if (installed === undefined) return [failed(`the CRD ${name} is not installed`, INSTALL_CRD)];
  const lacking = lackOfSchema(installed, crd);
  if (lacking.length === 0) return [ok(`the CRD ${name} has all that this version uses`)];
  return [failed(`the CRD ${name} is older than the operator: it lacks ${listed(lacking)}`, INSTALL_CRD)];
}

/** Rejects with ApiError. */
export async function namespaceFindings(
  client: Pick<ObjectClient, 'list'>,
  namespace: string,
): Promise<readonly Finding[]> {
  try {
    const options = { fieldSelector: `metadata.name=${namespace}`, metadataOnly: true };
    const { items } = await client.list<KubernetesObject>({ group: '', version: 'v1', plural: 'namespaces' }, options);
    const [found] = items;
    if (found === undefined) {
      return [
        failed(
          `the operator's namespace ${namespace} does not exist`,
          `kubectl apply -k config/default creates it; if the operator runs in another one, set --namespace`,
        ),
      ];
    }
    if (found.metadata.deletionTimestamp !== undefined) {
      return [
        failed(`the operator's namespace ${namespace} is being deleted`, 'wait until it is gone, and install again'),
      ];
    }
    return [ok(`the operator's namespace ${namespace} exists`)];
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return [warning(`whether the namespace ${namespace} exists is not known: you may not list namespaces`)];
  }
}
