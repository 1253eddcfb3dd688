/** docs/reference/reasons.md from the catalogue in core/reasons.ts. */
import { REASONS, type Reason } from '../../core/reasons.ts';
import { formatted } from './format.ts';

export const REASONS_FILE = 'docs/reference/reasons.md';

const INTRODUCTION = `# Reasons

The one word that a condition of a \`VaultInjectionPolicy\`, a refusal of the webhook, an audit annotation and a log line
give as the cause, and what to do about it. Conditions are shown by \`kubectl describe vip NAME\`; the outcome of an
admission stands in the API server's audit log as \`ignore.vaultinjection.dev/result\` or \`fail.vaultinjection.dev/result\`, with the
kinds before it where a policy is for others than the default ones (\`pods.fail.vaultinjection.dev/result\`).

This page is made from \`core/reasons.ts\`.
`;

/** Resolves with the page as Markdown. */
export function reasonsPage(): Promise<string> {
  const entries = Object.entries(REASONS as Readonly<Record<string, Reason>>);
  const rows = entries.map(
    ([code, { usedBy, meaning, action }]) =>
      `| \`${code}\` | ${usedBy.join(', ')} | ${meaning} | ${action || 'Nothing.'} |`,
  );
  const table = ['| reason | of | says | what to do |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return formatted(REASONS_FILE, `${INTRODUCTION}\n${table}\n`);
}
