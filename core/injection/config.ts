import { AUTH_METHODS } from '../auth-methods.ts';
import { DEFAULTS } from '../policy/policy.generated.ts';
import { withoutDefaults } from '../policy/defaults.ts';
import type { Rule } from '../policy/rule.ts';
import { loginFiles } from './login.ts';
import type { MountPaths } from './names.ts';
import type { EffectiveOptions } from './annotations.ts';
import type { Permitted } from './permitted.ts';

export const CA_FILE = 'ca.crt';

/** Where vault-env finds and leaves things in a container. */
export interface ContainerPlaces {
  readonly paths: MountPaths;
  /** undefined: where Kubernetes looks by default. */
  readonly terminationMessagePath: string | undefined;
}

/**
 * The value of VAULT_ENV_CONFIG: JSON with the keys of the policy's spec, without the defaults of the CRD, so that it
 * holds only what somebody decided; vault-env has the same defaults (build/generate/go-defaults.ts). Every `$` is
 * doubled, because the kubelet expands `$(NAME)` and `$$` in values of variables.
 */
export function vaultEnvConfig(
  rule: Rule,
  options: EffectiveOptions,
  role: string,
  { paths, terminationMessagePath }: ContainerPlaces,
): string {
  const { vault, policy } = rule;
  const { method, mountPath } = vault.auth;
  const isDefaultAuth = method === DEFAULTS.vault.auth.method && mountPath === AUTH_METHODS[method].mountPath;
  const environment = environmentOf(rule, options);
  const config = given({
    vault: given({
      address: vault.address,
      allowPlaintext: unless(vault.allowPlaintext, false),
      namespace: unless(vault.namespace, ''),
      timeout: unless(vault.timeout, DEFAULTS.vault.timeout),
      proxyURL: unless(vault.proxyURL, ''),
      tls: given({
        caBundle: unless(vault.tls.caBundle, ''),
        caFile: paths.ca && `${paths.ca}/${CA_FILE}`,
        serverName: unless(vault.tls.serverName, ''),
      }),
      auth: given({
        ...(isDefaultAuth ? {} : { method, mountPath }),
        role: unless(role, ''),
        ...loginFiles(rule, paths),
        ...vault.auth.details,
      }),
    }),
    environment,
    process: processOf(rule, options),
    policy: `${policy.namespace}/${policy.name}`,
    terminationMessagePath,
  });
  return escaped(config);
}

/** Returns the configuration with what the container's variables may refer to; without, any of them may refer to all. */
export function withPermitted(config: string, permitted: Permitted): string {
  return `${config.slice(0, -1)},"references":${escaped(permitted)}}`;
}

function escaped(value: unknown): string {
  return JSON.stringify(value).replaceAll('$', () => '$$');
}

function environmentOf({ environment }: Rule, options: EffectiveOptions): object | undefined {
  const fromPaths = options.fromPaths.map(({ path, version, prefix, overwrite }) => ({
    path,
    version,
    prefix: unless(prefix, ''),
    overwrite: unless(overwrite, DEFAULTS.environment.fromPaths.overwrite),
  }));
  return given({
    fromPaths: unlessEmpty(fromPaths),
    ignoreMissing: unless(options.ignoreMissing, DEFAULTS.environment.ignoreMissing),
    passthrough: unlessEmpty(environment.passthrough),
    literals: unlessEmpty(environment.literals),
    transit: transitOf(environment.transit),
    allowedNames: unlessEmpty(environment.allowedNames),
    allowedPaths: unlessEmpty(environment.allowedPaths),
    writes: unlessEmpty(environment.writes),
  });
}

/** The whole section of the policy, with the changes of annotations. */
function processOf({ process }: Rule, { mode, logLevel }: EffectiveOptions): object | undefined {
  const { leaseEnd, ...others } = process;
  const changed = { ...others, mode, log: { ...process.log, level: logLevel } };
  // mode Exec renews nothing
  return withoutDefaults(mode === 'Daemon' ? { ...changed, leaseEnd } : changed, DEFAULTS.process);
}

/** Returns undefined without a key: then nothing is decrypted. */
function transitOf({ keyID, mountPath, batchSize }: Rule['environment']['transit']): object | undefined {
  if (keyID === '') return undefined;
  return {
    keyID,
    mountPath: unless(mountPath, DEFAULTS.environment.transit.mountPath),
    batchSize: unless(batchSize, DEFAULTS.environment.transit.batchSize),
  };
}

/**
 * Returns the object, or undefined if none of its fields is set; JSON.stringify leaves out fields that are undefined.
 */
function given(fields: Readonly<Record<string, unknown>>): object | undefined {
  return Object.values(fields).some((value) => value !== undefined) ? fields : undefined;
}

function unless<T extends string | number | boolean>(value: T, byDefault: T): T | undefined {
  return value === byDefault ? undefined : value;
}

function unlessEmpty(list: readonly unknown[]): readonly unknown[] | undefined {
  return list.length > 0 ? list : undefined;
}
