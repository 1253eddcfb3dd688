/** docs/reference/logs.md from the calls of loggers in the sources, and what log-fields.ts says of the fields. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

import { formatted } from './format.ts';
import { LOG_FIELDS } from './log-fields.ts';
import { table } from './table.ts';

export const LOGS_FILE = 'docs/reference/logs.md';

const root = join(import.meta.dirname, '../..');
const SOURCES = ['core', 'kube', 'webhook', 'operator'];

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof LEVELS)[number];

/** What stands for text that is different each time. */
const ANY = '…';

export interface LoggedLine {
  /** As it is logged; … is any text. */
  readonly message: string;
  readonly levels: ReadonlySet<Level>;
  readonly fields: ReadonlySet<string>;
}

/** Returns every line that the sources may log, by message. */
export function loggedLines(): readonly LoggedLine[] {
  const files = SOURCES.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root })).map((file) =>
    join(root, file),
  );
  const config: unknown = ts.parseConfigFileTextToJson(
    'tsconfig.json',
    readFileSync(join(root, 'tsconfig.json'), 'utf8'),
  ).config;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  // the types of packages say nothing about our lines, and are most of the work
  const program = ts.createProgram(files, { ...options, noResolve: true, types: [] });
  const found = new Map<string, { levels: Set<Level>; fields: Set<string> }>();
  // what callers add to the line of OutageLog.failed()
  const added: string[] = [];
  const visitIn = (checker: ts.TypeChecker) => {
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression))
        look(node, node.expression, checker);
      ts.forEachChild(node, visit);
    };
    return visit;
  };
  const look = (
    call: ts.CallExpression,
    { expression, name }: ts.PropertyAccessExpression,
    checker: ts.TypeChecker,
  ): void => {
    const owner = expression.getText();
    if (/outages\??$/.test(owner) && name.text === 'failed') added.push(...fieldsOf(call.arguments[3], checker));
    const level = LEVELS.find((one) => one === name.text);
    if (level === undefined || !/logger$/i.test(owner)) return;
    const [first, second] = call.arguments;
    const message = second ?? first;
    if (message === undefined) return;
    for (const text of messagesOf(message, checker)) {
      const line = found.get(text) ?? { levels: new Set(), fields: new Set() };
      line.levels.add(level);
      if (second !== undefined) for (const field of fieldsOf(first, checker)) line.fields.add(field);
      found.set(text, line);
    }
  };
  const visit = visitIn(program.getTypeChecker());
  for (const file of files) {
    const source = program.getSourceFile(file);
    if (source !== undefined) visit(source);
  }
  for (const [text, line] of found) if (OF_OUTAGES.test(text)) for (const field of added) line.fields.add(field);
  return [...found]
    .map(([message, line]) => ({ message, ...line }))
    .sort((a, b) => a.message.replace(ANY, '').trim().localeCompare(b.message.replace(ANY, '').trim(), 'en'));
}

const OF_OUTAGES = /^… failed, will retry$/;

function messagesOf(expression: ts.Expression, checker: ts.TypeChecker): readonly string[] {
  if (ts.isConditionalExpression(expression)) {
    return [...messagesOf(expression.whenTrue, checker), ...messagesOf(expression.whenFalse, checker)];
  }
  if (ts.isTemplateExpression(expression)) {
    const { head, templateSpans } = expression;
    return templateSpans.reduce<readonly string[]>(
      (texts, span) =>
        texts.flatMap((text) => messagesOf(span.expression, checker).map((value) => text + value + span.literal.text)),
      [head.text],
    );
  }
  const type = checker.getTypeAtLocation(expression);
  const parts = type.isUnion() ? type.types : [type];
  const literals = parts.flatMap((part) => (part.isStringLiteral() ? [part.value] : []));
  return literals.length === parts.length ? literals : [ANY];
}

function fieldsOf(expression: ts.Expression | undefined, checker: ts.TypeChecker): readonly string[] {
  if (expression === undefined) return [];
  const type = checker.getTypeAtLocation(expression);
  const parts = type.isUnion() ? type.types : [type];
  return parts.flatMap((part) => checker.getPropertiesOfType(part).map(({ name }) => name));
}

const INTRODUCTION = `# The log of the operator

The operator writes its log to standard output, one line for each event: a JSON object, or with \`--log-format text\` the same
fields as text for people, \`time LEVEL message name=value …\`. \`--log-level\` says which lines there are
([settings.md](settings.md)). This page is generated from the sources: messages and names of fields are as stable as the
names of metrics, and CHANGELOG.md says if one of them changes.

Every line has \`level\` (\`debug\`, \`info\`, \`warn\` or \`error\`), \`time\` (RFC 3339, UTC) and \`msg\`.

- **error**: somebody has to do something; the message says what. It comes once for an outage, then every five minutes.
- **warn**: something is wrong that may pass, or that a person should know of.
- **info**: what was decided and done.
- **debug**: each review, and each change that was seen.

No line has the value of a variable, a reference, a token or a patch in it. Text of others is shown as one line, without
characters that hide or move text, and is cut at 4,096 characters ([ADR 26](../adr/0026-text-that-leaves.md)).

## What is bounded

Anybody who may write workloads or policies can cause lines. Of \`injected\`, \`restored\` and \`denied\` there are at most 20 a
minute for each namespace and 1,200 for all; of \`the status of the policy changed\` at most 20 and 300. The first that is left
out makes a line, and the first after that minute one with how many there were. The metric \`vault_injection_reviews_total\`
counts all of them. A failure that is retried makes one line, then one in five minutes.

\`injected\` means that admission has added vault-env to what was sent; an apply that sends the template without it is injected
again each time. Dry runs are in the log only at level debug, as \`reviewed\` with \`dryRun\`.

## Lines

\`…\` is text that is different each time.
`;

/** Resolves with the page as Markdown. Throws if a field is not described, or one is described that no line has. */
export function logsPage(lines: readonly LoggedLine[] = loggedLines()): Promise<string> {
  const used = new Set(lines.flatMap(({ fields }) => [...fields]));
  const described = Object.keys(LOG_FIELDS);
  const wrong = [
    ...[...used].filter((field) => !described.includes(field)).map((field) => `no description of ${field}`),
    ...described.filter((field) => !used.has(field)).map((field) => `no line has ${field}`),
  ];
  if (wrong.length > 0) throw new Error(`build/generate/log-fields.ts: ${wrong.join('; ')}`);
  const rows = lines.map(({ message, levels, fields }) => [
    message === ANY ? 'what is wrong and what to do, in a sentence' : `\`${message}\``,
    LEVELS.filter((level) => levels.has(level)).join(', '),
    [...fields]
      .sort()
      .map((field) => `\`${field}\``)
      .join(', '),
  ]);
  const fieldRows = described.sort().map((field) => [`\`${field}\``, LOG_FIELDS[field] ?? '']);
  return formatted(
    LOGS_FILE,
    [
      INTRODUCTION,
      table(['`msg`', 'level', 'fields'], rows),
      '\n## Fields\n',
      table(['field', 'what it says'], fieldRows),
      '',
    ].join('\n'),
  );
}
