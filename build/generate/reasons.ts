/**
 * docs/reference/reasons.md from the catalogue in core/reasons.ts. `node build/generate/reasons.ts` writes it;
 * a unit test fails when it is stale.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';

import { REASONS, type Reason } from '../../core/reasons.ts';

export const REASONS_FILE = join(import.meta.dirname, '../../docs/reference/reasons.md');

const INTRODUCTION = `# Reasons

The one word that a condition of a \`VaultInjectionPolicy\`, a refusal of the webhook, an audit annotation and a log line
give as the cause, and what to do about it. Conditions are shown by \`kubectl describe vip NAME\`; the outcome of an
admission stands in the API server's audit log as \`ignore.vaultinjection.dev/result\` or \`fail.vaultinjection.dev/result\`.

This page is made from \`core/reasons.ts\`.
`;

/** The page as Markdown. */
export function reasonsPage(): Promise<string> {
  const entries = Object.entries(REASONS as Readonly<Record<string, Reason>>);
  const rows = entries.map(
    ([code, { usedBy, meaning, action }]) =>
      `| \`${code}\` | ${usedBy.join(', ')} | ${meaning} | ${action || 'Nothing.'} |`,
  );
  const table = ['| reason | of | says | what to do |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return format(`${INTRODUCTION}\n${table}\n`, { parser: 'markdown', printWidth: 120 });
}

if (import.meta.main) writeFileSync(REASONS_FILE, await reasonsPage());
