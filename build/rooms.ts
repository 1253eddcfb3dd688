/**
 * The rooms of the code base, and which of them a file may import from: the one place that defines this.
 *
 *     node build/rooms.ts     exits with 1 and names each forbidden import (make lint)
 *
 * docs/architecture.md draws the actual imports (build/generate/architecture.ts).
 */
import { join } from 'node:path';
import { cruise, type IFlattenedRuleSet, type IForbiddenRuleType, type ICruiseResult } from 'dependency-cruiser';

/** Every file is in at most one room: the patterns exclude each other. */
interface Room {
  /** Matches the paths of its files, from the root of the repository. */
  readonly files: string;
  /** The rooms that its files may import from, besides itself. */
  readonly imports: readonly RoomName[];
}

export type RoomName = keyof typeof TABLE;

const CORE = ['core', 'core/policy', 'core/injection', 'core/workload'] as const;

const TABLE = {
  // everything may use what is generated from the CRD, wherever it is
  core: { files: '^core/([^/]+|policy/policy\\.generated\\.ts)$', imports: [] },
  'core/policy': { files: '^core/policy/(?!policy\\.generated\\.ts$)', imports: ['core'] },
  'core/injection': { files: '^core/injection/', imports: ['core', 'core/policy'] },
  'core/workload': { files: '^core/workload/', imports: ['core', 'core/policy', 'core/injection'] },
  kube: { files: '^kube/', imports: ['core'] },
  webhook: { files: '^webhook/', imports: [...CORE, 'kube'] },
  operator: { files: '^operator/(?!main\\.ts$|composition/|check/)', imports: [...CORE, 'kube'] },
  // the only place that knows all parts of the program: it puts them together, and checks an installation of them
  composition: {
    files: '^operator/(main\\.ts$|composition/|check/)',
    imports: [...CORE, 'kube', 'webhook', 'operator'],
  },
  build: { files: '^build/(?!generate/)', imports: CORE },
  generators: { files: '^build/generate/', imports: [...CORE, 'build', 'kube', 'webhook', 'operator', 'composition'] },
  test: { files: '^test/', imports: [...CORE, 'kube', 'webhook', 'operator', 'composition', 'build', 'generators'] },
} as const satisfies Record<string, { files: string; imports: readonly string[] }>;

export const ROOMS: Readonly<Record<RoomName, Room>> = TABLE;

const NAMES = Object.keys(ROOMS) as RoomName[];
const ALL_FILES = NAMES.map((name) => ROOMS[name].files);
const PROGRAM = '^(core|kube|webhook|operator)/';

/** Matches a package by the path that it resolves to, or by its name if it is not installed. */
const packageNamed = (name: string): string => `(^|node_modules/)${name}(/|$)`;

/** Each room imports only from the rooms of its row. */
const ROOM_RULES: readonly IForbiddenRuleType[] = NAMES.map((name) => {
  const { files, imports } = ROOMS[name];
  return {
    name,
    comment: `${name} imports from ${imports.length > 0 ? imports.join(', ') : 'no other room'}`,
    severity: 'error',
    from: { path: files },
    to: { path: ALL_FILES, pathNot: [files, ...imports.map((other) => ROOMS[other].files)] },
  };
});

// These generators read the code that their pages document, or that the chart's schema is about.
const READ_THE_PROGRAM = '^build/generate/(settings|metrics|chart-settings)\\.ts$';

const FILE_RULES: readonly IForbiddenRuleType[] = [
  {
    name: 'reference pages',
    comment: 'of the generators only settings.ts, metrics.ts and chart-settings.ts import from the program beside core',
    severity: 'error',
    from: { path: ROOMS.generators.files, pathNot: READ_THE_PROGRAM },
    to: { path: [ROOMS.kube.files, ROOMS.webhook.files, ROOMS.operator.files, ROOMS.composition.files] },
  },
  {
    name: 'pure core',
    comment: 'core imports ajv, node:crypto and node:util, and nothing else from outside: no I/O, no clock',
    severity: 'error',
    from: { path: '^core/' },
    to: { pathNot: ['^core/', packageNamed('ajv'), '^(node:)?(crypto|util)$', ...ALL_FILES] },
  },
  {
    name: 'operator library',
    comment: 'only kube/operator-adapter.ts imports @dot-i/k8s-operator: what of it is used stands in one file (ADR 2)',
    severity: 'error',
    from: { path: PROGRAM, pathNot: '^kube/operator-adapter\\.ts$' },
    to: { path: packageNamed('@dot-i/k8s-operator') },
  },
  {
    name: 'node-vault',
    comment: 'only operator/vault/ imports node-vault: its errors carry tokens, and admission never asks a Vault',
    severity: 'error',
    from: { path: PROGRAM, pathNot: '^operator/vault/' },
    to: { path: packageNamed('node-vault') },
  },
  {
    name: 'pino',
    comment: 'pino is imported as a type outside of the composition: a logger is passed in',
    severity: 'error',
    from: { path: PROGRAM, pathNot: ROOMS.composition.files },
    to: { path: packageNamed('pino'), dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'OpenTelemetry',
    comment: 'only operator/tracing/ imports @opentelemetry: all other parts know kube/tracer.ts (ADR 38)',
    severity: 'error',
    from: { path: PROGRAM, pathNot: '^operator/tracing/' },
    to: { path: packageNamed('@opentelemetry/[^/]+') },
  },
  {
    name: 'traces off',
    comment: 'what loads OpenTelemetry is imported dynamically, so that nothing of it is loaded where traces are off',
    severity: 'error',
    from: { path: PROGRAM, pathNot: '^operator/tracing/' },
    to: { path: '^operator/tracing/(sdk|sender|queue|failure)\\.ts$', dynamic: false },
  },
  {
    name: 'development only',
    comment: 'what the program imports is in dependencies of package.json, not in devDependencies',
    severity: 'error',
    from: { path: PROGRAM },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'], dependencyTypesNot: ['type-only'] },
  },
];

const CIRCLES: IForbiddenRuleType = {
  name: 'circle',
  comment: 'files that import each other are one file, or lack a third',
  severity: 'error',
  from: {},
  to: { circular: true },
};

const RULES: readonly IForbiddenRuleType[] = [...ROOM_RULES, ...FILE_RULES, CIRCLES];

async function look(root: string, folders: readonly string[], ruleSet: IFlattenedRuleSet): Promise<ICruiseResult> {
  const { output } = await cruise([...folders], {
    baseDir: root,
    validate: true,
    ruleSet,
    // type imports too: they couple as much
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  });
  if (typeof output === 'string') throw new Error('unreachable: without an output type there is an object');
  return output;
}

/** Resolves with a sentence for each forbidden import below `root`. */
export async function forbiddenImports(
  root: string,
  folders: readonly string[] = ['core', 'kube', 'webhook', 'operator', 'build', 'test'],
): Promise<readonly string[]> {
  const { summary } = await look(root, folders, { forbidden: [...RULES] });
  return summary.violations.map(({ from, to, rule, cycle }) => {
    const path = cycle === undefined ? [from, to] : [from, ...cycle.map(({ name }) => name)];
    return `${path.join(' → ')}: ${RULES.find(({ name }) => name === rule.name)?.comment ?? rule.name}`;
  });
}

/** How many imports lead from one room to another. */
export interface Arrow {
  readonly from: RoomName;
  readonly to: RoomName;
  readonly imports: number;
}

/** Resolves with the actual imports between rooms, without those of tests, in the order of the table. */
export async function arrows(root: string): Promise<readonly Arrow[]> {
  const { modules } = await look(root, ['core', 'kube', 'webhook', 'operator', 'build'], {});
  const counts = new Map<string, number>();
  for (const { source, dependencies } of modules) {
    const from = roomOf(source);
    const targets = new Set(dependencies.map(({ resolved }) => resolved));
    for (const to of Array.from(targets, roomOf)) {
      if (from === undefined || to === undefined || from === to) continue;
      counts.set(`${from}>${to}`, (counts.get(`${from}>${to}`) ?? 0) + 1);
    }
  }
  return NAMES.flatMap((from) =>
    NAMES.flatMap((to) => {
      const imports = counts.get(`${from}>${to}`);
      return imports === undefined ? [] : [{ from, to, imports }];
    }),
  );
}

function roomOf(path: string): RoomName | undefined {
  return NAMES.find((name) => new RegExp(ROOMS[name].files).test(path));
}

if (import.meta.main) {
  const found = await forbiddenImports(join(import.meta.dirname, '..'));
  for (const sentence of found) console.log(sentence);
  process.exitCode = found.length === 0 ? 0 : 1;
}
