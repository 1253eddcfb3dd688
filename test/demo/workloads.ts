/** The workloads of the samples: which objects they are, how kubectl waits for them, and how the CronJob is run now. */
import { KINDS } from '../../core/kinds.ts';

export interface WorkloadManifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

export const isWorkload = ({ kind }: Pick<WorkloadManifest, 'kind'>): boolean => Object.hasOwn(KINDS, kind);

/** What `samples/workloads` is: workloads, and the Services in front of them. */
export const belongsToWorkloads = ({ kind }: Pick<WorkloadManifest, 'kind'>): boolean =>
  isWorkload({ kind }) || kind === 'Service';

export interface Waiting {
  /** Arguments of kubectl that wait until the workload is as it should be. */
  readonly args: readonly string[];
  /** What is so then. */
  readonly then: string;
}

/** How one waits for a workload; undefined if there is nothing to wait for, as with a CronJob before its first run. */
export function waitingFor(
  { kind, metadata }: WorkloadManifest,
  namespace: string,
  seconds: number,
): Waiting | undefined {
  const name = `${kind.toLowerCase()}/${metadata.name}`;
  const where = ['-n', namespace, `--timeout=${seconds}s`];
  switch (kind) {
    case 'Deployment':
    case 'StatefulSet':
    case 'DaemonSet':
      return { args: ['rollout', 'status', name, ...where], then: `${name} is running` };
    case 'Job':
      return { args: ['wait', '--for=condition=Complete', name, ...where], then: `${name} has run` };
    default:
      return undefined;
  }
}

/** Arguments of kubectl that run the CronJob `backup` of the namespace shop now, as the Job `name`. */
export const runBackup = (name: string): readonly string[] => [
  ...['create', 'job', name, '-n', 'shop', '--from=cronjob/backup'],
];

/** The Job that a demo itself makes of it. */
export const BACKUP_JOB = 'backup-now';
