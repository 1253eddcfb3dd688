/** Which rights one account uses, by the audit log of an API server. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/** A request, or what a rule allows; `namespace` and `name` are '' for all. */
export interface Right {
  readonly verb: string;
  readonly group: string;
  /** As in rules: serviceaccounts/token. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface RightsUsed {
  readonly allowed: readonly Right[];
  readonly forbidden: readonly Right[];
}

/** Flags of an API server that notes the answers to each request of this user in the log. */
export function rightsAudit(folder: string, log: string, user: string): string[] {
  const policy = join(folder, `audit-${user.replaceAll(/[^\w-]/g, '-')}.json`);
  writeFileSync(
    policy,
    JSON.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      omitStages: ['RequestReceived', 'Panic'],
      rules: [{ level: 'Metadata', users: [user] }, { level: 'None' }],
    }),
  );
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`];
}

/** Reads such a log. A patch that creates also takes the right to create. */
export function rightsUsed(log: string): RightsUsed {
  const allowed = new Map<string, Right>();
  const forbidden = new Map<string, Right>();
  for (const line of readFileSync(log, 'utf8').split('\n').filter(Boolean)) {
    const { verb, objectRef = {}, responseStatus } = JSON.parse(line) as AuditEvent;
    const { resource = '', subresource = '', apiGroup: group = '', namespace = '', name = '' } = objectRef;
    const full = subresource === '' ? resource : `${resource}/${subresource}`;
    const verbs = verb === 'patch' && responseStatus?.code === 201 ? ['patch', 'create'] : [verb];
    const into = responseStatus?.code === 403 ? forbidden : allowed;
    for (const one of verbs) {
      const right = { verb: one, group, resource: full, namespace, name };
      into.set(JSON.stringify(right), right);
    }
  }
  return { allowed: [...allowed.values()], forbidden: [...forbidden.values()] };
}
