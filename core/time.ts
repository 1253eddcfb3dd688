/**
 * How Kubernetes writes times (k8s.io/apimachinery/pkg/apis/meta/v1), from milliseconds since the epoch; Date.parse()
 * reads both. Both throw RangeError if it is not a time, such as NaN.
 */

/** metav1.Time: RFC 3339 in UTC, truncated to whole seconds. */
export function toKubernetesTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** metav1.MicroTime: RFC 3339 in UTC with exactly six digits after the second. */
export function toKubernetesMicroTime(ms: number): string {
  return new Date(ms).toISOString().replace(/Z$/, '000Z');
}
