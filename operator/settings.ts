/**
 * The operator's settings: a table, read from flags, environment and a YAML file (in this order of precedence),
 * validated with ajv before anything starts.
 */
import { readFileSync } from 'node:fs';

import type { AddedKind } from '../core/added-kinds.ts';
import { TEMPLATES, templatesOf } from './kind-templates.ts';
import { removedSetting } from './removed-settings.ts';
import type { Environment } from './settings-sources.ts';
import {
  checkVariables,
  configFileOf,
  flagOf,
  parsedYaml,
  parseFile,
  parseFlags,
  SettingsError,
  variableOf,
  withoutServiceLinks,
} from './settings-sources.ts';
import type { SettingSpec } from './settings-validation.ts';
import {
  DNS_LABEL,
  DURATION,
  HOST,
  INTERVAL,
  listOf,
  PORT,
  TEXT,
  validate,
  VAULT_HOST,
} from './settings-validation.ts';
import type { VaultIdentity } from './vault-identities.ts';
import { IdentityError, readIdentities } from './vault-identities.ts';

export interface Settings {
  readonly kubeconfig: string;
  readonly context: string;
  readonly namespace: string;
  readonly webhookUrl: string;
  readonly webhookService: string;
  readonly webhookServicePort: number;
  readonly webhookConfiguration: 'Managed' | 'External';
  readonly clusterRole: string;
  readonly webhookClientCa: string;
  readonly webhookClientNames: string;
  readonly webhookTokenFile: string;
  readonly webhookHost: string;
  readonly webhookPort: number;
  readonly healthHost: string;
  readonly healthPort: number;
  readonly injectorImage: string;
  readonly tokenAudience: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'json' | 'text';
  readonly relistInterval: string;
  readonly vaultCheckInterval: string;
  readonly vaultCheckHosts: string;
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
  readonly vaultIdentities: readonly VaultIdentity[];
  readonly vaultServiceAccount: string;
  readonly templates: readonly AddedKind[];
}

export { SettingsError };

// A variable cannot say it by an empty text, which counts as no setting.
const API_SERVER = 'APIServer';

/** Returns the audience for policies that name none; '' is the API server's own. */
export function tokenAudienceOf({ tokenAudience }: Pick<Settings, 'tokenAudience'>): string {
  return tokenAudience === API_SERVER ? '' : tokenAudience;
}

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
  webhookConfiguration: {
    default: 'Managed',
    schema: { enum: ['Managed', 'External'] },
    allowed: 'Managed or External',
    help: 'who keeps the MutatingWebhookConfiguration. External: the person who installs it (config/external-webhook); the operator only reads it, needs no right to write it, and says what it lacks',
  },
  clusterRole: {
    default: 'vault-injection-operator',
    schema: { type: 'string', pattern: '^[^\\s/%]{1,253}$' },
    allowed: 'a ClusterRole name',
    help: "the operator's ClusterRole, which owns the MutatingWebhookConfiguration: when it is deleted with the installation, the cluster removes the configuration too. One that does not exist owns nothing",
  },
  webhookClientCa: {
    default: '',
    schema: TEXT,
    allowed: 'a file name',
    help: 'PEM file with the CAs of the client certificates that API servers show to the webhook; read again when it changes. Empty: none is asked for',
  },
  webhookClientNames: {
    default: '',
    schema: listOf('[^\\s,]+'),
    allowed: 'names separated by commas, such as kube-apiserver-webhook; or none',
    help: 'common names or DNS names of these certificates. Empty: every certificate of the CAs in --webhook-client-ca is accepted',
  },
  webhookTokenFile: {
    default: '',
    schema: TEXT,
    allowed: 'a file name',
    help: 'file with bearer tokens, one in each line, of which API servers send one to the webhook; read again when it changes. Empty: none is asked for',
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
    help: 'port the webhook listens on: above 1023, so that no capability is needed. The manifests say 10250, which firewalls of private clusters let through; on a node, the kubelet has that one',
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
  tokenAudience: {
    default: 'vault',
    schema: { type: 'string', pattern: '^\\S{1,256}$' },
    allowed: `an audience without spaces, such as vault, or ${API_SERVER}`,
    help: `audience of the tokens that pods log in to Vault with, if the policy does not say vault.auth.audience: what their role in Vault must expect. ${API_SERVER}: the API server's own, so that anybody who sees such a token may use it there (docs/guides/token-audience.md)`,
  },
  logLevel: {
    default: 'info',
    schema: { enum: ['debug', 'info', 'warn', 'error'] },
    allowed: 'debug, info, warn or error',
    help: 'least severe level that is logged; debug adds one line for each admission review',
  },
  logFormat: {
    default: 'json',
    schema: { enum: ['json', 'text'] },
    allowed: 'json or text',
    help: 'json: one object in each line, for programs. text: the same fields in a line for people (docs/reference/logs.md)',
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
  vaultCheckHosts: {
    default: '*',
    schema: listOf(VAULT_HOST),
    allowed:
      'hosts separated by commas, with or without a port, * as wildcard, such as *.example.com,10.0.0.5:8200; or none',
    help: 'Vaults whose health may be checked; none turns the checks off. One at a loopback, link-local or metadata address must be named without a wildcard, or in vaultIdentities',
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
    help: 'how long API servers get to learn a new CA of the webhook before a certificate of it is served, and another token in its path before the earlier one is refused. They follow within a second; a minute allows for one whose watch broke and is in backoff',
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
  vaultIdentities: {
    default: '',
    // read by readIdentities()
    schema: {},
    allowed: 'the name of a YAML file with a list of entries; in the file of --config, that list itself',
    help: 'Vaults that the operator logs in to as itself to read the versions of secrets: for each the address, what it logs in with, and the paths that it may look at (docs/guides/rotation.md). Empty: none, so new versions restart nothing',
  },
  vaultServiceAccount: {
    default: 'vault-injection-operator-vault',
    schema: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$' },
    allowed: 'a ServiceAccount name',
    help: "ServiceAccount in the operator's namespace whose token the operator logs in to Vault with, unless an entry of vaultIdentities names another: not its own, and without any right in the cluster",
  },
  templates: TEMPLATES,
};

/** Returns the table of all settings by their names in the file, from which the chart's schema is made. */
export const settingSpecs = (): Readonly<Record<keyof Settings, SettingSpec>> => SPECS;

const NAMES = Object.keys(SPECS) as (keyof Settings)[];

/** Returns the text of --help: every setting with its flag, environment variable, default and reason. */
export function settingsHelp(): string {
  const lines = NAMES.map((name) => {
    const spec = SPECS[name];
    const shown = spec.default === '' ? 'empty' : String(spec.default);
    return `  --${flagOf(name)}\n      ${spec.help}\n      default: ${shown}; ${spec.allowed}; environment: ${variableOf(name)}; file: ${name}`;
  });
  return `Usage: vault-injection-operator [--SETTING VALUE ...]
       vault-injection-operator check [--SETTING VALUE ...]   what an installation lacks; check --help says more
       vault-injection-operator uninstall [--restore] [--SETTING VALUE ...]

Puts Vault secrets into the environment of programs on Kubernetes, as VaultInjectionPolicy objects say.
A flag wins over the environment, the environment over the file given by --config.

  --config
      YAML file with settings under the names given as "file"; environment: VAULT_INJECTION_CONFIG
${lines.join('\n')}
  --version
      the version
  -h, --help
      this text
`;
}

/**
 * Reads the settings from argv (without node and script), the environment and the file that --config names. Throws
 * SettingsError with the setting, where it came from, and what is allowed.
 */
export function readSettings(
  argv: readonly string[],
  variables: Environment,
  readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): Settings | 'help' {
  const env = withoutServiceLinks(variables, NAMES);
  for (const name of [...argv, ...Object.keys(env).filter((variable) => env[variable] !== '')]) {
    const instead = removedSetting(name);
    if (instead !== undefined) throw new SettingsError(instead);
  }
  const flags = parseFlags(argv, NAMES);
  if (flags.help === true) return 'help';
  checkVariables(env, NAMES);
  const configFile = configFileOf(flags, env);
  const fromFile = configFile === '' ? {} : parseFile(configFile, NAMES, readFile);
  const origins = new Map<string, string>();
  const values: Record<string, unknown> = {};
  for (const name of NAMES) {
    const [value, origin] = pick(name, flags, env, fromFile);
    values[name] = value;
    origins.set(name, origin);
  }
  const problems = validate(values, SPECS);
  if (problems.length > 0) {
    throw new SettingsError(problems.map(([name, text]) => `${origins.get(name) ?? name}: ${text}`).join('\n'));
  }
  if (values.webhookClientNames !== '' && values.webhookClientCa === '') {
    const origin = origins.get('webhookClientNames') ?? '';
    throw new SettingsError(`${origin}: nobody shows a certificate without --webhook-client-ca; write that as well`);
  }
  const identities = identitiesOf(values, origins.get('vaultIdentities') ?? '', readFile);
  const templates = templatesOf(values.templates, origins.get('templates') ?? '');
  return { ...values, vaultIdentities: identities, templates } as unknown as Settings;
}

function identitiesOf(
  { vaultIdentities: value, vaultServiceAccount }: Record<string, unknown>,
  origin: string,
  readFile: (path: string) => string,
): readonly VaultIdentity[] {
  // an empty key in a YAML file is null
  if (value === '' || value === null) return [];
  const place = typeof value === 'string' ? `${origin} ${value}` : origin;
  const list: unknown = typeof value === 'string' ? parsedYaml(place, value, readFile) : value;
  try {
    return readIdentities(list, vaultServiceAccount as string, readFile);
  } catch (error) {
    if (error instanceof IdentityError) throw new SettingsError(`${place}: ${error.message}`);
    throw error;
  }
}

function pick(
  name: keyof Settings,
  flags: Record<string, string | boolean | undefined>,
  env: Environment,
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
