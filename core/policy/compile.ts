import { AUTH_DETAILS, AUTH_METHODS } from '../auth-methods.ts';
import { parseDuration } from '../duration.ts';
import { shortHash } from '../hash.ts';
import { without } from '../json.ts';
import { knownFields, withoutDefaults } from './defaults.ts';
import { faultOf, isPlaintext } from './faults.ts';
import type { PolicyFault } from './faults.ts';
import { identityOf } from './governing.ts';
import { DEFAULTS } from './policy.generated.ts';
import type { VaultInjectionPolicy, VaultInjectionPolicySpec } from './policy.generated.ts';
import type { FromPath, Rule, RuleInjector, RuleVault } from './rule.ts';
import { writtenAt } from './written-at.ts';

/** What the operator is configured with and a policy may leave out. */
export interface InjectorDefaults {
  /** '' if every policy must name its own. */
  readonly injectorImage: string;
  readonly injectorImagePullPolicy: RuleInjector['imagePullPolicy'];
  /** Of the pods' tokens for Vault; '' is the API server's own audience. */
  readonly tokenAudience: string;
  /** Other names of the API server's audience, as far as they are known. */
  readonly apiAudiences: readonly string[];
  /** Why API servers take no image volumes, such as `Kubernetes v1.30.14 has none`; undefined if they do. */
  readonly noImageVolumes?: string | undefined;
}

/** The rule; or none, because the policy is suspended; or the fault, with a message that names the field. */
export type CompiledPolicy =
  | { readonly ok: true; readonly suspended: false; readonly rule: Rule }
  | { readonly ok: true; readonly suspended: true }
  | ({ readonly ok: false } & PolicyFault);

// What every init container had before its resources followed the pod. It stays in the hash of a policy that names none:
// another hash would roll every workload, also those that have no init container.
const FIRST_RESOURCES: RuleInjector['resources'] = {
  requests: { cpu: '10m', memory: '32Mi' },
  limits: { memory: '64Mi' },
};

/**
 * Compiles a policy that has passed policyValidator into a rule. A suspended policy is not examined any further, so
 * that its rule is withdrawn whatever else is wrong with it. It checks what CEL cannot express, and what CEL does check
 * but this code relies on.
 */
export function compilePolicy(policy: VaultInjectionPolicy, defaults: InjectorDefaults): CompiledPolicy {
  const { spec } = policy;
  if (spec.suspend) return { ok: true, suspended: true };
  const fault = faultOf(spec, defaults.injectorImage);
  if (fault !== undefined) return { ok: false, ...fault };
  const shape = {
    when: spec.inject.when,
    containers: { include: spec.inject.containers.include, exclude: spec.inject.containers.exclude ?? [] },
    initContainers: spec.inject.initContainers,
    probes: spec.inject.probes,
    vault: vaultOf(spec.vault, defaults),
    environment: environmentOf(spec.environment),
    process: knownFields(spec.process, DEFAULTS.process),
    injector: injectorOf(policy, defaults),
    images: (spec.images ?? []).map(({ match, entrypoint = [], cmd = [] }) => ({ match, entrypoint, cmd })),
  };
  const { configMaps, secrets } = spec.inject.sources;
  const { strategy, maxConcurrent } = spec.rollout;
  const rule: Rule = {
    policy: identityOf(policy),
    since: writtenAt(policy),
    priority: spec.priority,
    targets: spec.targets,
    selector: selectorOf(spec.selector),
    ...shape,
    startupProbe: spec.inject.startupProbe,
    sources: { configMaps, secrets },
    overrides: { allow: spec.overrides?.allow ?? [], roles: spec.overrides?.roles ?? [] },
    failurePolicy: spec.failurePolicy,
    rollout: { strategy, maxConcurrent },
    rotation: rotationOf(spec.rotation),
    hash: hashOf({
      ...shape,
      vault: hashedVault(shape.vault),
      environment: hashedEnvironment(shape.environment),
      injector: hashedInjector(shape.injector),
      process: withoutDefaults(shape.process, DEFAULTS.process, (field) => !FIRST_OF_PROCESS.includes(field)),
      ...(isDefault(spec.inject.sources) ? {} : { sources: { configMaps, secrets } }),
      ...(spec.inject.startupProbe === DEFAULTS.inject.startupProbe ? {} : { startupProbe: spec.inject.startupProbe }),
    }),
  };
  return { ok: true, suspended: false, rule };
}

// A field added later counts for the hash only if somebody set it: else an upgrade of the operator would roll every
// workload. These fields of process were in the first version; never change the list.
const FIRST_OF_PROCESS = [
  'mode',
  'leaseEnd.action',
  'leaseEnd.signal',
  'leaseEnd.gracePeriod',
  'delay',
  'revokeToken',
  'refuseExec',
  'log.level',
  'log.format',
];

/** Sources were added later. */
function isDefault({ configMaps, secrets }: VaultInjectionPolicySpec['inject']['sources']): boolean {
  const byDefault = DEFAULTS.inject.sources;
  return configMaps === byDefault.configMaps && secrets === byDefault.secrets;
}

function rotationOf({ strategy, interval, vault }: VaultInjectionPolicySpec['rotation']): Rule['rotation'] {
  return { strategy, intervalMs: parseDuration(interval) ?? 0, vault };
}

function selectorOf(selector: VaultInjectionPolicySpec['selector']): Rule['selector'] {
  const expressions = selector?.matchExpressions ?? [];
  return {
    matchLabels: selector?.matchLabels ?? {},
    matchExpressions: expressions.map(({ key, operator, values = [] }) => ({ key, operator, values })),
  };
}

function vaultOf(vault: VaultInjectionPolicySpec['vault'], defaults: InjectorDefaults): RuleVault {
  const { address, allowPlaintext = false, namespace = '', timeout, proxyURL = '', tls = {}, auth } = vault;
  const { caBundle = '', caRef, serverName = '' } = tls;
  return {
    // paths are joined to it with a slash
    address: address.replace(/\/+$/, ''),
    allowPlaintext: allowPlaintext && isPlaintext(address),
    namespace,
    timeout,
    proxyURL,
    tls: { caBundle, ...(caRef && { caRef: { kind: caRef.kind, name: caRef.name, key: caRef.key } }), serverName },
    auth: authOf(auth, defaults),
  };
}

function authOf(
  auth: VaultInjectionPolicySpec['vault']['auth'],
  { tokenAudience, apiAudiences }: InjectorDefaults,
): RuleVault['auth'] {
  const { method, secretRef } = auth;
  const { takesToken } = AUTH_METHODS[method];
  const audience = takesToken ? (auth.audience ?? tokenAudience) : '';
  const details = AUTH_DETAILS.flatMap((name) => (auth[name] ? [[name, auth[name]] as const] : []));
  return {
    method,
    mountPath: auth.mountPath ?? AUTH_METHODS[method].mountPath,
    role: auth.role ?? '',
    audience,
    isForAPIServer: takesToken && (audience === '' || apiAudiences.includes(audience)),
    tokenExpirationSeconds: Math.floor((parseDuration(auth.tokenExpiration) ?? 0) / 1000),
    ...(secretRef && { secretRef: { name: secretRef.name } }),
    details: Object.fromEntries(details),
  };
}

function environmentOf(environment: VaultInjectionPolicySpec['environment']): Rule['environment'] {
  const { fromPaths = [], ignoreMissing, passthrough = [], allowedNames = [], literals = [] } = environment;
  const { allowedPaths = [], writes = [] } = environment;
  const { keyID = '', mountPath, batchSize } = environment.transit;
  const sources = fromPaths.map(({ path, version, prefix = '', overwrite }): FromPath => ({
    path,
    ...(version !== undefined && { version }),
    prefix,
    overwrite,
  }));
  const transit = { keyID, mountPath, batchSize };
  return { fromPaths: sources, ignoreMissing, passthrough, literals, transit, allowedNames, allowedPaths, writes };
}

/** The proxy and plaintext were added later. Who else accepts a token does not change a template. */
function hashedVault({ proxyURL, allowPlaintext, ...others }: RuleVault): object {
  return {
    ...others,
    auth: without({ ...others.auth }, 'isForAPIServer'),
    ...(proxyURL !== '' && { proxyURL }),
    ...(allowPlaintext && { allowPlaintext }),
  };
}

/** Writes and literals were added later. */
function hashedEnvironment({ writes, literals, ...environment }: Rule['environment']): object {
  return {
    ...environment,
    ...(writes.length > 0 && { writes }),
    ...(literals.length > 0 && { literals }),
  };
}

/** What the operator chooses is no change of the policy: pods stay as they are until it changes. */
function hashedInjector({ isAuto, ...injector }: RuleInjector): object {
  const delivery = isAuto ? 'InitContainer' : injector.delivery;
  return { ...without({ ...injector }, 'insteadBecause'), delivery, resources: injector.resources ?? FIRST_RESOURCES };
}

/** Returns how vault-env gets into pods: as the policy says, or as the operator has chosen, which the status says. */
export function deliveryOf({ spec, status }: Pick<VaultInjectionPolicy, 'spec' | 'status'>): RuleInjector['delivery'] {
  const { delivery } = spec.injector;
  if (delivery !== 'Auto') return delivery;
  return status?.injector?.delivery === 'ImageVolume' ? 'ImageVolume' : 'InitContainer';
}

function injectorOf(policy: VaultInjectionPolicy, defaults: InjectorDefaults): RuleInjector {
  const { image = '', imagePullPolicy, delivery, resources, securityContext = {} } = policy.spec.injector;
  const { runAsUser, runAsGroup } = securityContext;
  const wanted = deliveryOf(policy);
  const insteadBecause = wanted === 'ImageVolume' ? defaults.noImageVolumes : undefined;
  return {
    image: image === '' ? defaults.injectorImage : image,
    imagePullPolicy: imagePullPolicy ?? defaults.injectorImagePullPolicy,
    delivery: insteadBecause === undefined ? wanted : 'InitContainer',
    isAuto: delivery === 'Auto',
    ...(insteadBecause !== undefined && { insteadBecause }),
    ...(resources && { resources: resourcesOf(resources) }),
    securityContext: { ...(runAsUser !== undefined && { runAsUser }), ...(runAsGroup !== undefined && { runAsGroup }) },
  };
}

type Quantities = Readonly<Record<string, number | string>>;

function resourcesOf(resources: {
  readonly requests?: Quantities;
  readonly limits?: Quantities;
}): NonNullable<RuleInjector['resources']> {
  const texts = (quantities: Quantities): Record<string, string> =>
    Object.fromEntries(Object.entries(quantities).map(([name, quantity]) => [name, String(quantity)]));
  const { requests, limits } = resources;
  return { ...(requests && { requests: texts(requests) }), ...(limits && { limits: texts(limits) }) };
}

/** Returns equal hashes for equal content, regardless of the order of fields. */
function hashOf(shape: unknown): string {
  return shortHash(canonicalJson(shape));
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
