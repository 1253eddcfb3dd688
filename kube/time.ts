/** How Kubernetes writes times; all from milliseconds since the epoch. */

/** metav1.Time: RFC 3339 in UTC, whole seconds. */
export function toKubernetesTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** metav1.MicroTime: RFC 3339 in UTC with exactly six digits after the second. */
export function toKubernetesMicroTime(ms: number): string {
  return new Date(ms).toISOString().replace(/Z$/, '000Z');
}
