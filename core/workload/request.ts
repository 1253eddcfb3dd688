/**
 * What the operator has asked admission to do to a workload, kept in the workload's own annotation, so that every
 * replica knows, including one that starts later. Any change of it makes the API server send the workload to the
 * webhook. Pure.
 */
import { annotation } from '../injection/annotations.ts';
import { toKubernetesTime } from '../time.ts';

export const REQUEST_KINDS = ['Repair', 'Adoption', 'Rollout', 'Restart'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

export interface Request {
  readonly kind: RequestKind;
  /** Hash of the rule that was in force, or for Restart of the versions: 12 hexadecimal digits. */
  readonly hash: string;
  /** From 1; increases if the previous one had no lasting effect. */
  readonly attempt: number;
  /** Milliseconds since the epoch, whole seconds. */
  readonly time: number;
}

const FORM = new RegExp(
  String.raw`^(${REQUEST_KINDS.join('|')})/([0-9a-f]{12})/([1-9][0-9]{0,4})/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$`,
);

/** Returns undefined if there is none, or if somebody else wrote it. */
export function parseRequest(annotations: Readonly<Record<string, string>>): Request | undefined {
  const [, kind, hash = '', attempt, time = ''] = FORM.exec(annotations[annotation.requested] ?? '') ?? [];
  const ms = Date.parse(time);
  if (kind === undefined || Number.isNaN(ms)) return undefined;
  return { kind: kind as RequestKind, hash, attempt: Number(attempt), time: ms };
}

/** Returns the command that asks the operator to bring a workload up to date whatever the policy's rollout says. */
export function applyCommand(kind: string, { namespace, name }: { namespace: string; name: string }): string {
  return `kubectl annotate ${kind.toLowerCase()} ${name} -n ${namespace} ${annotation.apply}=now`;
}

/** The value of the annotation. */
export function formatRequest({ kind, hash, attempt, time }: Request): string {
  return `${kind}/${hash}/${attempt}/${toKubernetesTime(time)}`;
}
