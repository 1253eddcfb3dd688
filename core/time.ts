/**
 * How Kubernetes writes times (k8s.io/apimachinery/pkg/apis/meta/v1), all from milliseconds since the epoch; Date.parse()
 * reads both. They throw RangeError for what is no time, such as NaN.
 */

/** metav1.Time: RFC 3339 in UTC, whole seconds; what is less than one is cut off. */
export function toKubernetesTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** metav1.MicroTime: RFC 3339 in UTC with exactly six digits after the second. */
export function toKubernetesMicroTime(ms: number): string {
  return new Date(ms).toISOString().replace(/Z$/, '000Z');
}
