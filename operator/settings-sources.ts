/** Where settings come from: flags, variables and a file, and what is said of a name that none of them knows. */
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';

import { nearestOf } from '../core/edit-distance.ts';
import { removedSetting } from './removed-settings.ts';

/** An invalid setting, or a flag that does not exist. `message` is for the user who typed it. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'VAULT_INJECTION_';
const CONFIG_VARIABLE = `${PREFIX}CONFIG`;

const ALL = '--help lists all settings';

export function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (upper) => `-${upper.toLowerCase()}`);
}

export function variableOf(name: string): string {
  return `${PREFIX}${flagOf(name).replaceAll('-', '_').toUpperCase()}`;
}

/** Returns the flags by their names without dashes. Throws SettingsError for one that is no setting. */
export function parseFlags(
  argv: readonly string[],
  settings: readonly string[],
): Record<string, string | boolean | undefined> {
  const flags = [...settings.map(flagOf), 'config'];
  const options = Object.fromEntries(flags.map((flag) => [flag, { type: 'string' as const }]));
  try {
    const help = { type: 'boolean' as const, short: 'h' };
    return parseArgs({ args: [...argv], options: { ...options, help }, strict: true }).values;
  } catch (error) {
    const { message } = error as Error;
    const bare = /^Option '(?:-h, )?(--[^' ]+)[^']*' argument (?:missing|is ambiguous)/.exec(message)?.[1];
    if (bare !== undefined) throw new SettingsError(`${bare} needs a value: write ${bare}=VALUE. ${ALL}.`);
    const said = message.split('. ')[0] ?? '';
    throw new SettingsError(`${said}. ${meant(said, argv, [...flags, 'help', 'version'])}${ALL}.`);
  }
}

function meant(said: string, argv: readonly string[], flags: readonly string[]): string {
  const unknown = /^Unknown option '(-[^']*)'/.exec(said)?.[1];
  if (unknown === undefined) return '';
  // with one dash only its first letter is an option to Node
  const [written = ''] = (argv.find((argument) => argument.startsWith(unknown)) ?? unknown).split('=');
  const nearest = nearestOf(written.replace(/^-+/, ''), flags);
  return nearest === undefined ? '' : `Did you mean --${nearest}? `;
}

/**
 * Returns the variables without those that a kubelet sets because a Service of the pod's namespace has a name that begins
 * with vault-injection: they are not settings, even where one has the name of a setting.
 */
export function withoutServiceLinks(env: Environment, settings: readonly string[]): Environment {
  const variables = Object.entries(env).filter(([name, value]) => name.startsWith(PREFIX) && value !== undefined);
  // https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
  const services = variables.flatMap(([name]) => {
    const service = /^(.+)_SERVICE_HOST$/.exec(name)?.[1];
    return service !== undefined && env[`${service}_SERVICE_PORT`] !== undefined ? [service] : [];
  });
  if (services.length === 0) return env;
  const isLink = (name: string): boolean =>
    services.some((service) => name.startsWith(service) && /^_(SERVICE_|PORT$|PORT_)/.test(name.slice(service.length)));
  const known = settings.map(variableOf);
  const links = variables.filter(
    ([name, value]) => isLink(name) && (!known.includes(name) || /^(tcp|udp|sctp):\/\//.test(value ?? '')),
  );
  return Object.fromEntries(Object.entries(env).filter(([name]) => !links.some(([link]) => link === name)));
}

/** Throws SettingsError if a variable begins like those of settings and is none. Empty ones count as not set. */
export function checkVariables(env: Environment, settings: readonly string[]): void {
  const known = [...settings.map(variableOf), CONFIG_VARIABLE];
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith(PREFIX) && env[name] !== undefined && env[name] !== '' && !known.includes(name),
  );
  if (unknown.length === 0) return;
  const bare = known.map((name) => name.slice(PREFIX.length));
  const lines = unknown.map((name) => {
    const nearest = nearestOf(name.slice(PREFIX.length), bare);
    return `${name}: there is no such setting; ${nearest === undefined ? ALL : `did you mean ${PREFIX}${nearest}?`}`;
  });
  throw new SettingsError(lines.join('\n'));
}

/** Returns the file that --config or its variable names; '' if neither does. */
export function configFileOf(flags: Record<string, string | boolean | undefined>, env: Environment): string {
  const file = flags.config ?? env[CONFIG_VARIABLE] ?? '';
  return typeof file === 'string' ? file : '';
}

/** Returns the settings in a file. Throws SettingsError for a key that is none, and for what is no mapping. */
export function parseFile(
  path: string,
  settings: readonly string[],
  readFile: (path: string) => string,
): Record<string, unknown> {
  const parsed: unknown = parsedYaml(`--config ${path}`, path, readFile) ?? {};
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new SettingsError(`--config ${path}: write a YAML mapping such as "logLevel: debug"`);
  }
  const removed = Object.keys(parsed)
    .map(removedSetting)
    .find((instead) => instead !== undefined);
  if (removed !== undefined) throw new SettingsError(`--config ${path}: ${removed}`);
  const unknown = Object.keys(parsed).find((key) => !settings.includes(key));
  if (unknown !== undefined) {
    const nearest = nearestOf(unknown, settings);
    const instead = nearest === undefined ? `allowed: ${settings.join(', ')}` : `did you mean ${nearest}?`;
    throw new SettingsError(`--config ${path}: unknown setting "${unknown}"; ${instead}`);
  }
  return parsed as Record<string, unknown>;
}

/** Returns what a YAML file says. Throws SettingsError with `place`, without what is in the file. */
export function parsedYaml(place: string, path: string, readFile: (path: string) => string): unknown {
  try {
    return parseYaml(readFile(path));
  } catch (error) {
    throw new SettingsError(`${place}: ${(error as Error).message.split('\n')[0] ?? ''}`);
  }
}
