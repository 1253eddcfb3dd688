/** What the policies and workloads of a soak have to look like. */
import type { KubernetesObject, Resource } from '../../core/object.ts';
import { WRAPPER } from '../integration/cluster.ts';
import type { LiveTemplate } from '../integration/cluster.ts';
import { container, deployment } from '../integration/manifests.ts';

export type Mode = 'Sound' | 'Unusable' | 'Suspended' | 'Absent';
export type Kind = 'Deployment' | 'StatefulSet';

export interface StoredPolicy extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { readonly generation: number; readonly uid: string };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly observedGeneration?: number;
    }[];
    readonly workloads?: Readonly<Record<string, number>>;
  };
}

export interface StoredWorkload extends KubernetesObject {
  readonly kind: Kind;
  readonly spec: { readonly template: LiveTemplate };
}

export const APPS = { group: 'apps', version: 'v1' } as const;

/** Returns the workloads of a kind in a namespace. */
export function resourceOf(kind: Kind, namespace: string): Resource {
  return { ...APPS, plural: kind === 'Deployment' ? 'deployments' : 'statefulsets', namespace };
}

/** Returns a workload with a reference; `turn` is in its template. */
export function workload(namespace: string, name: string, kind: Kind, turn: string): KubernetesObject {
  const app = { env: [], ...container() };
  const manifest = deployment(namespace, name, [{ ...app, env: [...app.env, { name: 'TURN', value: turn }] }]);
  const own = kind === 'Deployment' ? { revisionHistoryLimit: 1 } : { serviceName: name, revisionHistoryLimit: 1 };
  return { ...manifest, kind, spec: { ...manifest.spec, ...own } };
}

/** Whether a workload is stored with its injection. */
export function isInjected(object: object): boolean {
  const { spec } = object as Pick<StoredWorkload, 'spec'>;
  return spec.template.spec.containers[0]?.command?.[0] === WRAPPER;
}

/** What the conditions have to be; of those that are not named, nothing is known. */
function wantedConditions(mode: Mode, hasLastGood: boolean): Readonly<Record<string, string>> {
  const reached = { WebhookReachable: 'True', CertificateReady: 'True' };
  const none = { Reconciling: 'absent', Stalled: 'absent' };
  switch (mode) {
    case 'Sound':
      return { Accepted: 'True', Programmed: 'True', Ready: 'True Active', ...reached, ...none };
    case 'Suspended':
      return { Accepted: 'True', Programmed: 'False Suspended', Ready: 'False Suspended', ...reached, ...none };
    case 'Unusable':
      return {
        Accepted: 'False CABundleInvalid',
        Programmed: hasLastGood ? 'True' : 'False NotAccepted',
        Ready: 'False CABundleInvalid',
        Stalled: 'True CABundleInvalid',
        ...reached,
        Reconciling: 'absent',
      };
    case 'Absent':
      return {};
  }
}

/**
 * Returns what is wrong with a policy of this mode.
 *
 * @param types the conditions to look at; default: all that are known
 */
export function faultsOfPolicy(
  stored: StoredPolicy | undefined,
  mode: Mode,
  hasLastGood: boolean,
  types?: ReadonlySet<string>,
): string[] {
  if (mode === 'Absent') return stored === undefined ? [] : ['the policy is still there'];
  if (stored === undefined) return ['there is no policy'];
  const { generation } = stored.metadata;
  const { observedGeneration, conditions = [] } = stored.status ?? {};
  const faults = observedGeneration === generation ? [] : [`generation ${generation}, observed ${observedGeneration}`];
  for (const [type, wanted] of Object.entries(wantedConditions(mode, hasLastGood))) {
    if (types?.has(type) === false) continue;
    const found = conditions.find((one) => one.type === type);
    const text = found === undefined ? 'absent' : `${found.status} ${found.reason}`;
    if (text !== wanted && found?.status !== wanted)
      faults.push(`${type} is ${text}, not ${wanted}: ${found?.message}`);
    else if (found !== undefined && found.observedGeneration !== generation)
      faults.push(`${type} is of generation ${found.observedGeneration}, not ${generation}`);
  }
  return faults;
}

/** @param workloads how many there are, all injected */
export function faultsOfCounts(stored: StoredPolicy | undefined, workloads: number): string[] {
  const { matched = 0, injected = 0 } = stored?.status?.workloads ?? {};
  if (matched === workloads && injected === workloads) return [];
  return [`its status counts ${injected} of ${matched} workloads as injected, and there are ${workloads}`];
}
