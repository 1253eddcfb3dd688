import type { KubernetesObject, Resource } from '../core/object.ts';

/** A Lease of `coordination.k8s.io/v1`; times are MicroTimes. */
export interface Lease extends KubernetesObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

export const LEASE_HEAD = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };

/** Returns the Leases of a namespace as a resource. */
export function leasesIn(namespace: string): Resource {
  return { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', namespace };
}
