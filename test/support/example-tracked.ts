import { KINDS, rowOf } from '../../core/kinds.ts';
import type { Tracked } from '../../core/workload/plan.ts';
import type { State } from '../../core/workload/standing.ts';
import { changed } from './changed.ts';
import type { Changes } from './changed.ts';

/** A Deployment in namespace shop whose pods are all there, in this state, with some of its fields changed. */
export function trackedWith(name: string, state: State, changes: Changes<Tracked> = {}): Tracked {
  const sample: Tracked = {
    key: `Deployment/shop/${name}`,
    workload: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      traits: KINDS.Deployment,
      metadata: { name, namespace: 'shop', uid: name },
      annotations: {},
      rollout: {
        phase: 'Complete',
        paused: false,
        onDelete: false,
        idle: false,
        available: true,
        started: true,
        progress: '1/1/1',
      },
      writers: [],
      writtenAt: 0,
    },
    standing: {
      state,
      policy: { name: 'shop-secrets', uid: 'uid-1', hash: 'aaaaaaaaaaaa' },
      yielding: [],
      reads: [],
      restartPending: false,
    },
    pending: false,
    seenInjected: false,
    fruitless: 0,
  };
  const tracked = changed(sample, changes);
  const { workload } = tracked;
  return { ...tracked, workload: { ...workload, traits: rowOf(workload.kind) } };
}
