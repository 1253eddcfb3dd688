/** docs/reference/annotations.md. */
import { formatted } from './format.ts';
import { table } from './table.ts';

export const ANNOTATIONS_FILE = 'docs/reference/annotations.md';

const PREFIX = 'vaultinjection.dev/';

const INTRODUCTION = `# Annotations

All annotations begin with \`${PREFIX}\`. Those that users set are read from the workload and from its pod template; where
both have one, that of the template counts. One that is unknown, that the policy does not allow or whose value cannot be
read changes nothing, and \`kubectl apply\` shows a warning that says why.

What a policy has to allow is listed in its \`spec.overrides.allow\`; \`spec.overrides.roles\` further limits \`role\`. No
annotation can change the address of Vault, its auth mount, the TLS settings or the image of vault-env.
`;

interface Row {
  readonly on: readonly ('Workload' | 'Template')[];
  readonly setBy: 'User' | 'Admission' | 'Operator';
  readonly says: string;
  readonly example: string;
  readonly override?: { readonly allow: string };
}

const BOTH = ['Workload', 'Template'] as const;

// Has the shape of the table that core is to get; until then this is the only place where these sentences stand.
const ANNOTATIONS: Readonly<Record<string, Row>> = {
  inject: {
    on: BOTH,
    setBy: 'User',
    says: '"false" keeps the workload out of every policy; "true" lets it in where a policy injects annotated workloads only.',
    example: 'true',
  },
  policy: {
    on: BOTH,
    setBy: 'User',
    says: 'The name of the policy to use, of those that match the workload.',
    example: 'shop',
  },
  role: {
    on: BOTH,
    setBy: 'User',
    says: 'The Vault role to log in as.',
    example: 'payments-ro',
    override: { allow: 'Role' },
  },
  'from-paths': {
    on: BOTH,
    setBy: 'User',
    says: 'Secrets of which every key becomes a variable, instead of environment.fromPaths: path[#version], separated by commas.',
    example: 'secret/data/shop/app, secret/data/shop/db#3',
    override: { allow: 'FromPaths' },
  },
  containers: {
    on: BOTH,
    setBy: 'User',
    says: 'Names of the containers that may be wrapped, separated by commas; * stands for any characters.',
    example: 'app, worker-*',
    override: { allow: 'Containers' },
  },
  'ignore-missing': {
    on: BOTH,
    setBy: 'User',
    says: 'Whether programs start although Vault has nothing at a path that they refer to.',
    example: 'true',
    override: { allow: 'IgnoreMissing' },
  },
  mode: {
    on: BOTH,
    setBy: 'User',
    says: 'Whether vault-env becomes the program (Exec) or stays as its parent (Daemon).',
    example: 'Daemon',
    override: { allow: 'Mode' },
  },
  'log-level': {
    on: BOTH,
    setBy: 'User',
    says: 'The least severe level of the lines that vault-env logs.',
    example: 'Debug',
    override: { allow: 'LogLevel' },
  },
  apply: {
    on: ['Workload'],
    setBy: 'User',
    says: '"now" asks the operator to bring an outdated workload up to date, which replaces its pods. The operator removes it afterwards.',
    example: 'now',
  },
  injected: {
    on: ['Template'],
    setBy: 'Admission',
    says: 'What the template was injected by: the policy, its generation and a hash of the rule.',
    example: 'shop/3/8ec4d63f7b15',
  },
  original: {
    on: ['Template'],
    setBy: 'Admission',
    says: 'The record of what was there before (core/injection/README.md).',
    example: '{"v":1,"volumes":["vault-env"],"containers":[]}',
  },
  requested: {
    on: ['Workload'],
    setBy: 'Operator',
    says: 'What the operator last asked admission to do: kind of the request, hash, number of the attempt, time.',
    example: 'Repair/8ec4d63f7b15/1/2026-01-02T03:04:05Z',
  },
  restart: {
    on: BOTH,
    setBy: 'Operator',
    says: 'A hash of the versions of secrets that the pods are to start with. Admission copies it into the template, so that new pods start.',
    example: '0123456789ab',
  },
  versions: {
    on: ['Workload'],
    setBy: 'Operator',
    says: 'The versions of secrets that the pods were started with, by path.',
    example: '{"secret/data/shop/db":3}',
  },
};

const PLACES = { Workload: 'workload', Template: 'pod template' } as const;
const SETTERS = { User: 'people', Admission: 'admission', Operator: 'the operator' } as const;

/** The page as Markdown. */
export function annotationsPage(): Promise<string> {
  const rows = Object.entries(ANNOTATIONS).map(([name, { on, setBy, says, example, override }]) => [
    `\`${name}\``,
    on.map((place) => PLACES[place]).join(', '),
    SETTERS[setBy],
    override === undefined ? '' : `\`${override.allow}\``,
    says,
    `\`${example}\``,
  ]);
  const heads = ['name', 'on', 'set by', 'to be allowed', 'meaning', 'example'];
  return formatted(ANNOTATIONS_FILE, `${INTRODUCTION}\n${table(heads, rows)}\n`);
}
