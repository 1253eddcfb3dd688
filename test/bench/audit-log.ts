/** What one user asks of an API server, by its audit log. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface AuditEvent {
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: { readonly resource?: string };
}

/** Flags of an API server that notes each request of this user when it comes in. */
export function auditFlags(folder: string, log: string, user: string): string[] {
  const policy = join(folder, 'audit.json');
  const omitStages = ['ResponseStarted', 'ResponseComplete', 'Panic'];
  writeFileSync(
    policy,
    JSON.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      omitStages,
      rules: [{ level: 'Metadata', users: [user] }, { level: 'None' }],
    }),
  );
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`, '--audit-log-maxsize=2000'];
}

export interface Requests {
  /** Such as `update leases`, with how often. */
  readonly counts: ReadonlyMap<string, number>;
  /** The last watch of each path, with its length in seconds. */
  readonly watches: ReadonlyMap<string, number>;
}

/** Returns the requests that came between two times, in milliseconds since the epoch. */
export function requestsBetween(log: string, from: number, to: number): Requests {
  const counts = new Map<string, number>();
  const watches = new Map<string, number>();
  for (const line of readFileSync(log, 'utf8').split('\n').filter(Boolean)) {
    const { verb, requestURI, requestReceivedTimestamp, objectRef } = JSON.parse(line) as AuditEvent;
    const time = Date.parse(requestReceivedTimestamp);
    const { pathname, searchParams } = new URL(requestURI, 'https://localhost');
    if (verb === 'watch') watches.set(pathname, Number(searchParams.get('timeoutSeconds')));
    else if (time >= from && time < to) {
      const kind = `${verb} ${objectRef?.resource ?? pathname}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  }
  return { counts, watches };
}
