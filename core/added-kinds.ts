/** Kinds that the operator's setting `templates` adds to the built-in ones: any resource with a pod template. Pure. */
import { argoKeepsPods, argoRollout, cloneSetKeepsPods, cloneSetRollout, readyRollout } from './added-rollouts.ts';
import { FOR_LATER, KINDS } from './kinds.ts';
import type { Kind, Kinds, Reading, WorkloadKind } from './kinds.ts';

/** How a rollout may be read. */
export const ROLLOUTS = {
  /** spec.paused; updatedReplicas, availableReplicas and conditions as those of a Deployment. */
  Deployment: readingOf(KINDS.Deployment),
  /** updateStrategy, updatedReplicas and revisions as those of a StatefulSet. */
  StatefulSet: readingOf(KINDS.StatefulSet),
  ArgoRollout: { replacesPods: true, hasDeadline: true, keepsPods: argoKeepsPods, rollout: argoRollout },
  CloneSet: { replacesPods: true, hasDeadline: false, keepsPods: cloneSetKeepsPods, rollout: cloneSetRollout },
  /** The condition Ready. */
  Ready: { replacesPods: true, hasDeadline: true, keepsPods: () => true, rollout: readyRollout },
  /** A change of the template is for pods of later. */
  None: FOR_LATER,
} as const satisfies Record<string, Reading>;

export type RolloutReading = keyof typeof ROLLOUTS;

/** An entry of the setting. */
export interface AddedKind {
  readonly group: string;
  readonly version: string;
  /** Its plural. */
  readonly resource: string;
  readonly kind: string;
  /** The fields that lead to the pod template, with dots between them. */
  readonly template: string;
  readonly rollout: RolloutReading;
  /** As Kind.between. */
  readonly between?: readonly string[];
}

/** Entries that have a name. */
export const PRESETS: Readonly<Record<string, AddedKind>> = {
  ArgoRollout: {
    ...{ group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts', kind: 'Rollout' },
    template: 'spec.template',
    rollout: 'ArgoRollout',
  },
  CloneSet: {
    ...{ group: 'apps.kruise.io', version: 'v1alpha1', resource: 'clonesets', kind: 'CloneSet' },
    template: 'spec.template',
    rollout: 'CloneSet',
  },
  // a Service makes a Revision of its template, and that makes a Deployment
  KnativeService: {
    ...{ group: 'serving.knative.dev', version: 'v1', resource: 'services', kind: 'Service' },
    template: 'spec.template',
    rollout: 'Ready',
    between: ['Configuration', 'Revision'],
  },
};

/** Returns the name of an added kind in `targets`. */
export function targetNameOf({ kind, group }: Pick<AddedKind, 'kind' | 'group'>): WorkloadKind {
  return `${kind}.${group}`;
}

/** Returns the built-in kinds and these. */
export function kindsWith(added: readonly AddedKind[]): Kinds {
  if (added.length === 0) return KINDS;
  return { ...KINDS, ...Object.fromEntries(added.map((entry) => [targetNameOf(entry), kindOfEntry(entry)])) };
}

function kindOfEntry({ group, version, resource, kind, template, rollout, between }: AddedKind): Kind {
  return {
    kind,
    resource: { group, version, plural: resource, trimmed: true },
    template: template.split('.'),
    templateMayChange: true,
    watched: 'WhenTargeted',
    whenMade: 'Own',
    ...(between && { between }),
    ...ROLLOUTS[rollout],
  };
}

function readingOf({ replacesPods, hasDeadline, keepsPods, rollout }: Kind): Reading {
  return { replacesPods, hasDeadline, keepsPods, rollout };
}
