/** docs/reference/traces.md from the tables of spans, attributes and variables. */
import { SPAN_ATTRIBUTES, SPANS } from '../../core/spans.ts';
import { formatted } from './format.ts';
import { table } from './table.ts';

export const TRACES_FILE = 'docs/reference/traces.md';

const INTRODUCTION = `# Traces

The spans that the operator records where traces are on, and what they say. [monitoring.md](../guides/monitoring.md#traces) says how
to turn them on, and which variables there are.

Attributes are names, counts and words from the tables of the operator. No span has a value, a reference, a path of a secret, a
command, an argument, a patch, a message of somebody else, a token, or the path of the webhook. A text has 256 characters at most,
on one line.

This page is made from \`core/spans.ts\`.
`;

/** Resolves with the page as Markdown. */
export function tracesPage(): Promise<string> {
  const spans = Object.entries(SPANS).map(([name, { kind, meaning }]) => [`\`${name}\``, kind.toLowerCase(), meaning]);
  const attributes = Object.entries(SPAN_ATTRIBUTES).map(([name, meaning]) => [`\`${name}\``, meaning]);
  const parts = [
    ...[INTRODUCTION, '## Spans', '', table(['name', 'kind', 'what the time is spent on'], spans), ''],
    ...['## Attributes', '', table(['name', 'meaning'], attributes)],
  ];
  return formatted(TRACES_FILE, `${parts.join('\n')}\n`);
}
