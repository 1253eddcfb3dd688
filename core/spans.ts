/**
 * The spans that the operator records, and their attributes: what code, tests and docs/reference/traces.md share. Names are
 * those of OpenTelemetry's semantic conventions where there is one; all others begin with `vaultinjection.`.
 */
import type { BuiltInKind, WorkloadKind } from './kinds.ts';

export interface SpanDescription {
  /** Of OpenTelemetry: which side of a call it is. */
  readonly kind: 'Server' | 'Client' | 'Internal';
  /** What the time between start and end is spent on. */
  readonly meaning: string;
}

export const SPANS = {
  review: {
    kind: 'Server',
    meaning:
      'an admission review, from the last byte of the request to the answer. Its parent is the span of the API server that has called, if that has one',
  },
  'look up images': {
    kind: 'Internal',
    meaning:
      'in a review: waiting for what registries say about images, including the pull secrets that are read for them. Reviews that need the same image wait for the same look-up',
  },
  'read objects': {
    kind: 'Internal',
    meaning: 'in a review: waiting for ConfigMaps, Secrets and the ServiceAccount that the API server is asked for',
  },
  'request admission': {
    kind: 'Client',
    meaning:
      'the leader asks the API server to admit a workload again, in order to inject, restore, update or restart it',
  },
  'reconcile policy': {
    kind: 'Internal',
    meaning: 'a replica brings the rule, the checks of Vault and, as the leader, the status of a policy up to date',
  },
  'write status': { kind: 'Client', meaning: 'in reconciling a policy: the API server stores its status' },
} as const satisfies Record<string, SpanDescription>;

export type SpanName = keyof typeof SPANS;

export const SPAN_ATTRIBUTES = {
  'k8s.namespace.name': 'namespace of the workload or policy',
  'k8s.deployment.name': 'name of the Deployment; its generateName if it has no name yet',
  'k8s.statefulset.name': 'the same for a StatefulSet',
  'k8s.daemonset.name': 'the same for a DaemonSet',
  'k8s.cronjob.name': 'the same for a CronJob',
  'k8s.job.name': 'the same for a Job',
  'k8s.replicaset.name': 'the same for a ReplicaSet',
  'k8s.replicationcontroller.name': 'the same for a ReplicationController',
  'k8s.pod.name': 'the same for a Pod',
  'http.response.status_code': 'status of the answer to the API server: 200 for every review that was decided',
  'error.type':
    'why it failed: a reason of a denial, a reason or status of the API server, or a status of HTTP; left out otherwise',
  'vaultinjection.action': 'why admission is asked for again, such as `Repair` or `Restart`',
  'vaultinjection.containers.wrapped': 'number of containers that vault-env is put in front of',
  'vaultinjection.dry_run': 'whether nothing is stored (`kubectl diff`, `--dry-run=server`)',
  'vaultinjection.entry': 'sort of entry of the webhook configuration that the review came by: `ignore` or `fail`',
  'vaultinjection.images': 'number of images that are looked up',
  'vaultinjection.images.unknown': 'how many of them nothing is known about in the end',
  'vaultinjection.objects': 'number of ConfigMaps, Secrets and ServiceAccounts that are read',
  'vaultinjection.objects.unreadable': 'how many of them could not be read',
  'vaultinjection.operation': '`CREATE` or `UPDATE`',
  'vaultinjection.outcome':
    '`Injected`, `Restored`, `Unchanged`, `NoPolicy`, `Excluded`, `Denied`, `Skipped`, `Postponed` or `Error`, as in `vault_injection_reviews_total`',
  'vaultinjection.policy.name': 'name of the policy that applies, or is reconciled',
  'vaultinjection.result': 'what became of the request: `Done`, `Gone`, `Refused` or `Failed`',
  'vaultinjection.review.bytes': 'size of the request in bytes',
  'vaultinjection.review.uid': 'uid of the review, as in the log of the operator',
  'vaultinjection.workload.kind': 'kind of a workload that the setting `templates` adds, as policies name it',
  'vaultinjection.workload.name': 'its name; its generateName if it has no name yet',
} as const;

export type AttributeName = keyof typeof SPAN_ATTRIBUTES;

/** Values of attributes. Those that are undefined are left out. */
export type SpanAttributes = Readonly<Partial<Record<AttributeName, string | number | boolean | undefined>>>;

const NAME_ATTRIBUTES = {
  Deployment: 'k8s.deployment.name',
  StatefulSet: 'k8s.statefulset.name',
  DaemonSet: 'k8s.daemonset.name',
  CronJob: 'k8s.cronjob.name',
  Job: 'k8s.job.name',
  ReplicaSet: 'k8s.replicaset.name',
  ReplicationController: 'k8s.replicationcontroller.name',
  Pod: 'k8s.pod.name',
} as const satisfies Record<BuiltInKind, AttributeName>;

/** Returns the attributes that say which workload a span is about. */
export function workloadAttributes(kind: WorkloadKind, namespace: string, name: string): SpanAttributes {
  const attribute = Object.hasOwn(NAME_ATTRIBUTES, kind) ? NAME_ATTRIBUTES[kind as BuiltInKind] : undefined;
  const named = { 'vaultinjection.workload.kind': kind, 'vaultinjection.workload.name': name };
  return { 'k8s.namespace.name': namespace, ...(attribute === undefined ? named : { [attribute]: name }) };
}
