/**
 * Names of Kubernetes objects (k8s.io/apimachinery/pkg/util/validation). Admission sees names before API servers validate
 * them, and what is not a name must not get into the path of a request, the key of a cache or a message.
 */

const LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const NAMESPACE = new RegExp(`^${LABEL}$`);
const OBJECT = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const LONGEST_LABEL = 63;
const LONGEST_NAME = 253;

/** Whether a namespace can have this name: a DNS label. */
export function isNamespaceName(name: string): boolean {
  return name.length <= LONGEST_LABEL && NAMESPACE.test(name);
}

/** Whether a workload, ConfigMap, Secret or ServiceAccount can have this name: a DNS subdomain. */
export function isObjectName(name: string): boolean {
  return name.length <= LONGEST_NAME && OBJECT.test(name);
}

/** Whether an object of any kind can have this name: one segment of a path, however it is decoded (IsValidPathSegmentName). */
export function isPathSegment(name: string): boolean {
  return name.length <= LONGEST_NAME && name !== '' && name !== '.' && name !== '..' && !/[/%?#\\\p{Cc}]/u.test(name);
}
