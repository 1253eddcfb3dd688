/**
 * The operator's settings: a table, read from flags, environment and a YAML file (in this order of precedence),
 * validated with ajv before anything starts.
 */
import { Ajv, type ErrorObject } from 'ajv';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';

import { parseDuration } from '../core/duration.ts';
import { readList } from '../core/list.ts';

export interface Settings {
  readonly kubeconfig: string;
  readonly context: string;
  readonly namespace: string;
  readonly webhookUrl: string;
  readonly webhookService: string;
  readonly webhookServicePort: number;
  readonly webhookHost: string;
  readonly webhookPort: number;
  readonly healthHost: string;
  readonly healthPort: number;
  readonly injectorImage: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly relistInterval: string;
  readonly vaultCheckInterval: string;
  readonly leaderElection: boolean;
  readonly maxRollouts: number;
  readonly drain: string;
  readonly certificateWait: string;
  readonly registries: string;
  readonly registryMirrors: string;
  readonly registryPlainHttp: string;
  readonly registryCa: string;
  readonly registryConfig: string;
  readonly registryTimeout: string;
  readonly sourceTimeout: string;
  readonly sourceInterval: string;
  readonly nodePlatforms: string;
  readonly rotationVaults: string;
  readonly rotationRole: string;
  readonly rotationMount: string;
  readonly rotationAudience: string;
  readonly rotationServiceAccount: string;
}

/** An invalid setting, or a flag that does not exist. `message` is for the user who typed it. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

interface SettingSpec {
  readonly default: string | number | boolean;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly allowed: string;
  readonly help: string;
}

// A second less than timeoutSeconds of the webhook configuration, for the network and the review itself.
const LONGEST_WAIT_MS = 4000;

const PORT = { type: 'integer', minimum: 0, maximum: 65535 } as const;
const DNS_LABEL = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' } as const;
const DURATION = { type: 'string', format: 'duration-go' } as const;
// Zero would ask without a pause; nothing that is asked for changes faster than that.
const SHORTEST_INTERVAL_MS = 1_000;
const INTERVAL = { type: 'string', format: 'duration-of-interval' } as const;
const TEXT = { type: 'string' } as const;
const HOST = '[a-zA-Z0-9.*-]+(:\\d{1,5})?';
/** Items separated by commas; none at all is fine. */
const listOf = (item: string): { type: 'string'; pattern: string } => ({
  type: 'string',
  pattern: `^\\s*(${item}(\\s*,\\s*${item})*)?\\s*$`,
});

const SPECS: Readonly<Record<keyof Settings, SettingSpec>> = {
  kubeconfig: {
    default: '',
    schema: TEXT,
    allowed: 'a file name',
    help: 'kubeconfig file. Empty: KUBECONFIG, ~/.kube/config, or the ServiceAccount when the operator runs in a pod',
  },
  context: {
    default: '',
    schema: TEXT,
    allowed: 'a context name',
    help: 'context of the kubeconfig. Empty: its current one',
  },
  namespace: {
    default: 'vault-injection-system',
    schema: DNS_LABEL,
    allowed: 'a namespace name',
    help: "the operator's own namespace: its Secret lives there, and nothing in it is ever injected",
  },
  webhookUrl: {
    default: '',
    schema: { type: 'string', pattern: '^$|^https://[^/?#@]+$' },
    allowed: 'https://HOST[:PORT] without path, or empty',
    help: 'URL at which the API server reaches the webhook when the operator runs outside of the cluster. Empty: by the Service',
  },
  webhookService: {
    default: 'vault-injection-operator',
    schema: DNS_LABEL,
    allowed: 'a Service name',
    help: "Service of the webhook in the operator's namespace; the certificate is issued for its DNS names",
  },
  webhookServicePort: {
    default: 443,
    schema: { ...PORT, minimum: 1 },
    allowed: 'a port, 1 to 65535',
    help: 'port of that Service',
  },
  webhookHost: {
    default: '',
    schema: TEXT,
    allowed: 'an address to listen on, or empty',
    help: 'address the webhook listens on. Empty: all; with a loopback --webhook-url, that address alone',
  },
  webhookPort: {
    default: 9443,
    schema: PORT,
    allowed: 'a port, 0 to 65535 (0: any free one)',
    help: 'port the webhook listens on: above 1023, so that no capability is needed',
  },
  healthHost: {
    default: '',
    schema: TEXT,
    allowed: 'an address to listen on, or empty',
    help: 'address of /livez, /readyz and /metrics. Empty: all',
  },
  healthPort: {
    default: 8081,
    schema: PORT,
    allowed: 'a port, 0 to 65535 (0: any free one)',
    help: 'port of /livez, /readyz and /metrics: separate from the webhook, so that probes never wait behind reviews',
  },
  injectorImage: {
    default: '',
    schema: TEXT,
    allowed: 'an image reference, best with a digest',
    help: 'image that contains vault-env. Empty: every policy must name its own in spec.injector.image',
  },
  logLevel: {
    default: 'info',
    schema: { enum: ['debug', 'info', 'warn', 'error'] },
    allowed: 'debug, info, warn or error',
    help: 'least severe level that is logged; debug adds one line for each admission review',
  },
  relistInterval: {
    default: '10m',
    schema: INTERVAL,
    allowed: 'a duration of at least 1s, such as 10m',
    help: 'how often policies are listed again although their watch seems healthy: insurance against a watch that lost something silently',
  },
  vaultCheckInterval: {
    default: '1m',
    schema: INTERVAL,
    allowed: 'a duration of at least 1s, such as 1m',
    help: 'how often the health of each distinct Vault is checked for the condition VaultReachable',
  },
  leaderElection: {
    default: true,
    schema: { type: 'boolean' },
    allowed: 'true or false',
    help: 'elect the one replica that writes statuses and repairs workloads; all replicas answer reviews. false: this replica always leads',
  },
  maxRollouts: {
    default: 10,
    schema: { type: 'integer', minimum: 1, maximum: 10_000 },
    allowed: 'a whole number, 1 to 10000',
    help: 'how many workloads of the whole cluster are rolled, restarted or adopted at once: policies that change together do not overload nodes, registries and Vault. Each policy has its own bound besides; repairs and apply=now do not wait',
  },
  drain: {
    default: '15s',
    schema: DURATION,
    allowed: 'a duration such as 15s',
    help: 'how long to keep answering after SIGTERM: API servers send reviews until they learn that the endpoint is gone. For 5 s more they are asked to repeat them. Where endpoints are updated later than that in sum, reviews fail: set it longer there, and terminationGracePeriodSeconds with it. 0s ends at once',
  },
  certificateWait: {
    default: '1m',
    schema: INTERVAL,
    allowed: 'a duration of at least 1s, such as 1m',
    help: 'how long API servers get to learn a new CA of the webhook before a certificate of it is served. They follow within a second; a minute allows for one whose watch broke and is in backoff',
  },
  registries: {
    default: '*',
    schema: listOf(HOST),
    allowed: 'hosts separated by commas, * as wildcard, such as *.example.com,docker.io; or none',
    help: 'registries that may be asked for the entry points of images. One at a loopback or link-local address must be named without a wildcard',
  },
  registryMirrors: {
    default: '',
    schema: listOf(`${HOST}=${HOST}(/[a-z0-9._/-]+)?`),
    allowed: 'REGISTRY=HOST[:PORT][/PREFIX] separated by commas, such as docker.io=mirror.example.com/hub',
    help: 'mirrors to ask before a registry, as the nodes do: what a mirror has does not count as a pull from the registry',
  },
  registryPlainHttp: {
    default: '',
    schema: listOf(HOST),
    allowed: 'HOST[:PORT] separated by commas',
    help: 'registries that are asked without TLS: passwords are sent to them unencrypted, so each has to be named',
  },
  registryCa: {
    default: '',
    schema: TEXT,
    allowed: 'a file name',
    help: 'PEM file with CA certificates for registries, in addition to those that Node.js trusts; read at start',
  },
  registryConfig: {
    default: '',
    schema: TEXT,
    allowed: 'a file name',
    help: 'Docker config.json with credentials for images of every namespace, as nodes may have them; read again each time',
  },
  registryTimeout: {
    default: '2500ms',
    schema: { type: 'string', format: 'duration-of-admission' },
    allowed: 'a duration up to 4s, such as 2500ms',
    help: 'how long a review waits for a registry: less than the 5 s that the API server waits for the review',
  },
  sourceTimeout: {
    default: '2500ms',
    schema: { type: 'string', format: 'duration-of-admission' },
    allowed: 'a duration up to 4s, such as 2500ms',
    help: 'how long a review waits for the ConfigMaps and Secrets that variables come from; registries get the rest of the time',
  },
  sourceInterval: {
    default: '1m',
    schema: INTERVAL,
    allowed: 'a duration of at least 1s, such as 1m',
    help: 'how often the Secrets that variables come from are read again, at most five per second; ConfigMaps are watched',
  },
  nodePlatforms: {
    default: '',
    schema: listOf('[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?'),
    allowed: 'OS/ARCHITECTURE[/VARIANT] separated by commas, such as linux/arm64',
    help: 'platforms of the nodes, the most common first: selects from images built for several platforms. Empty: read from the nodes',
  },
  rotationVaults: {
    default: '',
    schema: { format: 'urls', ...listOf('https?://[^\\s,/?#@]+(/[^\\s,?#@]*)?(#(\\*|[^\\s,?#@]*))?') },
    allowed: 'ADDRESS or ADDRESS#NAMESPACE (* for any) separated by commas, such as https://vault.example.com:8200',
    help: 'Vaults that the operator may log in to with its own identity to read the versions of secrets. Empty: none, so new versions restart nothing',
  },
  rotationRole: {
    default: 'vault-injection-operator',
    schema: { type: 'string', minLength: 1 },
    allowed: 'the name of a role of the auth method',
    help: 'Vault role that the operator logs in as; it should allow to read metadata and nothing else',
  },
  rotationMount: {
    default: 'kubernetes',
    schema: { type: 'string', pattern: '^[-A-Za-z0-9_~][-A-Za-z0-9_.~]*(/[-A-Za-z0-9_~][-A-Za-z0-9_.~]*)*$' },
    allowed: 'a mount path without auth/ before it',
    help: 'auth mount at which the operator logs in for policies whose pods use neither Kubernetes nor JWT auth; otherwise it uses the mount of the policy',
  },
  rotationAudience: {
    default: 'vault',
    schema: { type: 'string', minLength: 1 },
    allowed: 'an audience',
    help: 'audience of the token that the operator logs in to Vault with: one that the API server does not accept',
  },
  rotationServiceAccount: {
    default: 'vault-injection-operator',
    schema: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$' },
    allowed: 'a ServiceAccount name',
    help: "ServiceAccount in the operator's namespace whose token the operator logs in to Vault with",
  },
};

const NAMES = Object.keys(SPECS) as (keyof Settings)[];
const flagOf = (name: string): string => name.replace(/[A-Z]/g, (upper) => `-${upper.toLowerCase()}`);
const variableOf = (name: string): string => `VAULT_INJECTION_${flagOf(name).replaceAll('-', '_').toUpperCase()}`;

/** Returns the text of --help: every setting with its flag, environment variable, default and reason. */
export function settingsHelp(): string {
  const lines = NAMES.map((name) => {
    const spec = SPECS[name];
    const shown = spec.default === '' ? 'empty' : String(spec.default);
    return `  --${flagOf(name)}\n      ${spec.help}\n      default: ${shown}; ${spec.allowed}; environment: ${variableOf(name)}; file: ${name}`;
  });
  return `Usage: vault-injection-operator [--SETTING VALUE ...]

Puts Vault secrets into the environment of programs on Kubernetes, as VaultInjectionPolicy objects say.
A flag wins over the environment, the environment over the file given by --config.

  --config
      YAML file with settings under the names given as "file"; environment: VAULT_INJECTION_CONFIG
${lines.join('\n')}
  --help
      this text
`;
}

/**
 * Reads the settings from argv (without node and script), the environment and the file that --config names. Throws
 * SettingsError with the setting, where it came from, and what is allowed.
 */
export function readSettings(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): Settings | 'help' {
  const flags = parseFlags(argv);
  if (flags.help === true) return 'help';
  const configFile = flags.config ?? env.VAULT_INJECTION_CONFIG ?? '';
  const fromFile = typeof configFile === 'string' && configFile !== '' ? parseFile(configFile, readFile) : {};
  const origins = new Map<string, string>();
  const values: Record<string, unknown> = {};
  for (const name of NAMES) {
    const [value, origin] = pick(name, flags, env, fromFile);
    values[name] = value;
    origins.set(name, origin);
  }
  const problems = validate(values);
  if (problems.length > 0) {
    throw new SettingsError(problems.map(([name, text]) => `${origins.get(name) ?? name}: ${text}`).join('\n'));
  }
  return values as unknown as Settings;
}

function parseFlags(argv: readonly string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(
    [...NAMES.map(flagOf), 'config'].map((flag) => [flag, { type: 'string' as const }]),
  );
  try {
    const { values } = parseArgs({ args: [...argv], options: { ...options, help: { type: 'boolean' } }, strict: true });
    return values;
  } catch (error) {
    throw new SettingsError(`${(error as Error).message.split('. ')[0] ?? ''}. --help lists all settings.`);
  }
}

function parseFile(path: string, readFile: (path: string) => string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseYaml(readFile(path)) ?? {};
  } catch (error) {
    throw new SettingsError(`--config ${path}: ${(error as Error).message.split('\n')[0] ?? ''}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new SettingsError(`--config ${path}: write a YAML mapping such as "logLevel: debug"`);
  }
  const unknown = Object.keys(parsed).find((key) => !(key in SPECS));
  if (unknown !== undefined) {
    throw new SettingsError(`--config ${path}: unknown setting "${unknown}"; allowed: ${NAMES.join(', ')}`);
  }
  return parsed as Record<string, unknown>;
}

function pick(
  name: keyof Settings,
  flags: Record<string, string | boolean | undefined>,
  env: Readonly<Record<string, string | undefined>>,
  file: Record<string, unknown>,
): [value: unknown, origin: string] {
  const kind = typeof SPECS[name].default;
  const convert = (text: unknown): unknown => {
    if (kind === 'number' && typeof text === 'string' && /^\d+$/.test(text)) return Number(text);
    if (kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
    return text;
  };
  const flag = flags[flagOf(name)];
  if (flag !== undefined) return [convert(flag), `--${flagOf(name)}`];
  const variable = env[variableOf(name)];
  if (variable !== undefined && variable !== '') return [convert(variable), variableOf(name)];
  if (name in file) return [file[name], `${name} in the --config file`];
  return [SPECS[name].default, name];
}

function validate(values: Record<string, unknown>): [name: string, text: string][] {
  const ajv = new Ajv({ allErrors: true });
  ajv.addFormat('duration-go', { type: 'string', validate: (text: string) => parseDuration(text) !== undefined });
  ajv.addFormat('duration-of-interval', {
    type: 'string',
    validate: (text: string) => (parseDuration(text) ?? 0) >= SHORTEST_INTERVAL_MS,
  });
  const isUrl = (item: string): boolean => URL.canParse(item);
  ajv.addFormat('urls', { type: 'string', validate: (text: string) => readList(text).every(isUrl) });
  ajv.addFormat('duration-of-admission', {
    type: 'string',
    validate: (text: string) => (parseDuration(text) ?? Infinity) <= LONGEST_WAIT_MS,
  });
  const properties = Object.fromEntries(NAMES.map((name) => [name, SPECS[name].schema]));
  const check = ajv.compile({ type: 'object', properties });
  if (check(values)) return [];
  return (check.errors ?? []).map((error: ErrorObject) => {
    const name = error.instancePath.slice(1) as keyof Settings;
    return [name, `${JSON.stringify(values[name])} is not allowed; write ${SPECS[name].allowed}`];
  });
}
