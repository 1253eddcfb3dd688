/**
 * The defaults that the API server fills into a pod template (k8s.io/kubernetes/pkg/apis/{core,apps}/v1/defaults.go),
 * for the parts that injection touches, its way of writing quantities, and the fields that it leaves out when empty.
 */
import type { Workload } from '../../../support/example-workload.ts';

type JsonObject = Record<string, unknown>;

/** The object as it is kept. */
export function stored(object: Workload): Workload {
  const result = structuredClone(object);
  const { spec } = result.spec.template;
  setDefaults(spec, {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
  });
  for (const volume of at(spec, 'volumes')) defaultVolume(volume);
  for (const container of [...at(spec, 'initContainers'), ...at(spec, 'containers')]) defaultContainer(container);
  return result;
}

function defaultContainer(container: JsonObject): void {
  const image = String(container.image);
  setDefaults(container, {
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: /:[^/]*$/.test(image) && !image.endsWith(':latest') ? 'IfNotPresent' : 'Always',
    resources: {},
  });
  for (const quantities of Object.values(container.resources as Record<string, Record<string, string>>)) {
    for (const [name, quantity] of Object.entries(quantities)) quantities[name] = CANONICAL[quantity] ?? quantity;
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    setDefaults(container[probe], { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  }
  for (const variable of at(container, 'env')) {
    setDefaults((variable.valueFrom as JsonObject | undefined)?.fieldRef, { apiVersion: 'v1' });
    if (variable.value === '') delete variable.value;
  }
  for (const mount of at(container, 'volumeMounts')) if (mount.readOnly === false) delete mount.readOnly;
  for (const field of ['command', 'args', 'env', 'volumeMounts']) {
    if (at(container, field).length === 0) Reflect.deleteProperty(container, field);
  }
}

function defaultVolume(volume: JsonObject): void {
  for (const source of ['configMap', 'secret', 'projected', 'downwardAPI']) {
    setDefaults(volume[source], { defaultMode: 420 });
  }
  for (const source of at((volume.projected ?? {}) as JsonObject, 'sources')) {
    setDefaults(source.serviceAccountToken, { expirationSeconds: 3600 });
  }
  setDefaults(volume.image, { pullPolicy: 'IfNotPresent' });
  setDefaults(volume.hostPath, { type: '' });
  if (Object.keys(volume).length === 1) volume.emptyDir = {};
}

function setDefaults(object: unknown, defaults: JsonObject): void {
  if (object === undefined) return;
  for (const [key, value] of Object.entries(defaults)) (object as JsonObject)[key] ??= value;
}

function at(object: JsonObject, field: string): JsonObject[] {
  return (object[field] ?? []) as JsonObject[];
}

/** How the API server writes the quantities that the tests use. */
const CANONICAL: Readonly<Record<string, string>> = { '0.5': '500m', '1000m': '1', '1024Mi': '1Gi', '65536Ki': '64Mi' };
