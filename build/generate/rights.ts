/** docs/reference/rights.md from config/rbac/operator.yaml and its comments. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isSeq, parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';

import { formatted } from './format.ts';
import { table } from './table.ts';

export const RIGHTS_FILE = 'docs/reference/rights.md';

const SOURCE = join(import.meta.dirname, '../../config/rbac/operator.yaml');

/** One rule of a Role or ClusterRole, with its comment. */
export interface RightsRule {
  /** Of the Role; undefined: the rule belongs to a ClusterRole and counts everywhere. */
  readonly namespace: string | undefined;
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  /** None: any. */
  readonly names: readonly string[];
  readonly verbs: readonly string[];
  /** What the operator does with it. */
  readonly reason: string;
  /** What a thief of the operator's token can do with it. */
  readonly stolen: string;
}

/**
 * Returns the rules of the operator in the order of the file. The comment above each says why it is there and then,
 * after "Stolen:", what else can be done with it; throws if one does not.
 */
export function readRights(yaml = readFileSync(SOURCE, 'utf8')): readonly RightsRule[] {
  return parseAllDocuments(yaml).flatMap((document) => rulesOf(document as Document));
}

function rulesOf(document: Document): readonly RightsRule[] {
  const rules = document.get('rules');
  if (!isSeq(rules)) return [];
  const { kind, metadata } = document.toJS() as { kind: string; metadata?: { namespace?: string } };
  return rules.items.map((item, index) => {
    if (!isMap(item)) throw new Error('a rule is no mapping');
    const rule = item.toJSON() as Partial<Record<'apiGroups' | 'resources' | 'resourceNames' | 'verbs', string[]>>;
    // the comment above the first one belongs to the list
    const comment = (index === 0 ? rules.commentBefore : item.commentBefore) ?? '';
    const [reason = '', stolen] = comment.replaceAll(/\s+/g, ' ').trim().split(' Stolen: ');
    const { apiGroups: groups = [], resources = [], resourceNames: names = [], verbs = [] } = rule;
    if (stolen === undefined)
      throw new Error(`the comment above the rule of ${resources.join()} has no reason, or no "Stolen:"`);
    return {
      namespace: kind === 'Role' ? metadata?.namespace : undefined,
      groups,
      resources,
      names,
      verbs,
      reason,
      stolen,
    };
  });
}

const INTRODUCTION = `# Rights of the operator

This is everything that \`config/rbac\` lets the operator's ServiceAccount do, why, and what somebody can do with it who has
stolen a token of that account. \`kubectl auth can-i --list -n vault-injection-system\` shows the same lines, and those that
the cluster grants to every account (its reviews of one's own rights, discovery, \`/healthz\` and the like).

Tests start the operator with exactly these rights, let it use all of its features, and fail if a right was missing or was
used by nothing (\`test/integration/rights.test.ts\`). Others try with a token of the operator what it must not be able to do
(\`test/hostile/stolen-token.test.ts\`).

A rule with names allows \`list\` and \`watch\` only of requests that select \`metadata.name\`, and \`create\` only by a
server-side apply: a POST has no name that the API server could check.

Two rights are not here, because each namespace decides about them with a Role of its own: to read Secrets that hold
references or CA certificates ([references-elsewhere.md](../guides/references-elsewhere.md#secrets)), and pull secrets
([private-registries.md](../guides/private-registries.md)).

This page is generated from \`config/rbac/operator.yaml\`.
`;

/** Resolves with the page as Markdown. */
export function rightsPage(): Promise<string> {
  const rows = (isOwn: boolean): string[][] =>
    readRights()
      .filter(({ namespace }) => (namespace !== undefined) === isOwn)
      .map(({ groups, resources, names, verbs, reason, stolen }) => [
        resources.map((resource) => `\`${resourceText(resource, groups)}\``).join(', '),
        names.map((name) => `\`${name}\``).join(', ') || 'any',
        verbs.join(', '),
        sentence(reason),
        sentence(stolen),
      ]);
  const heads = ['resource', 'name', 'verbs', 'why', 'what a stolen token can do with it'];
  return formatted(
    RIGHTS_FILE,
    [
      INTRODUCTION,
      '## In the whole cluster\n',
      table(heads, rows(false)),
      '\n## In its own namespace\n',
      table(heads, rows(true)),
      '',
    ].join('\n'),
  );
}

/** Returns a resource with its group, as kubectl writes it: deployments.apps, vaultinjectionpolicies.vaultinjection.dev/status. */
export function resourceText(resource: string, groups: readonly string[]): string {
  const [plural = '', ...subresource] = resource.split('/');
  return [[plural, ...groups].filter(Boolean).join('.'), ...subresource].join('/');
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
