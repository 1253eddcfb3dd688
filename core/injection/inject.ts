/**
 * Inject: puts vault-env in front of the programs of the selected containers. A pure function of the restored template
 * and the rule: the same input yields the same template, key by key. Additions go to the end of env, volumeMounts and
 * volumes, where they change nothing before them; only the init container goes first, because others depend on it.
 */
import type { Rule } from '../policy/rule.ts';
import { installerWithAdditions, NOTHING_GENERATED, withAdditions } from './additions.ts';
import type { Generated } from './additions.ts';
import { vaultEnvConfig, withPermitted } from './config.ts';
import type { ContainerPlaces } from './config.ts';
import { DEFAULT_TERMINATION_MESSAGE_PATH, installerFor, volumesFor } from './delivery.ts';
import type { VolumeNames } from './delivery.ts';
import { entrypointUnknown } from './entry-points.ts';
import type { EntryPoints } from './entry-points.ts';
import { asList, asString, without } from '../json.ts';
import type { RawObject } from '../json.ts';
import { roleFor, takesSecret, takesToken } from './login.ts';
import { annotation, optionsOfRule } from './annotations.ts';
import { permittedBy, permittedIn, roomForExpansion } from './permitted.ts';
import type { Room } from './permitted.ts';
import { CONFIG_VARIABLE, EXECUTABLE, freeName, PURPOSES } from './names.ts';
import type { MountPaths, Purpose } from './names.ts';
import type { Denial, Skipped } from './outcome.ts';
import type { EffectiveOptions } from './annotations.ts';
import {
  annotationsOf,
  CONTAINER_LISTS,
  containersOf,
  mapExecCommands,
  mountsOf,
  nameOf,
  podSpecOf,
  serviceAccountOf,
  withAnnotations,
} from './pod.ts';
import { hasPolicyLabel, withPolicyLabel } from './policy-label.ts';
import { wrap, wrapExec } from './program.ts';
import { shortHash } from '../hash.ts';
import { encodeRecord, executableIn } from './record.ts';
import type { RecordedContainer } from './record.ts';
import type { Selected } from './selection.ts';
import { startupProbeFor } from './startup-probe.ts';
import { hasConfigVariable } from './traces.ts';
import type { Config, WrittenConfigs } from './written-configs.ts';

// What etcd accepts by default (--max-request-bytes, 1.5 MiB): a larger object could not be stored anyway.
const OBJECT_LIMIT = 1_572_864;

export interface InjectionContext {
  readonly rule: Rule;
  readonly options: EffectiveOptions;
  readonly entryPoints: EntryPoints;
  /** Names that our volumes cannot have, besides those of the template's own volumes. */
  readonly reservedVolumes: readonly string[];
  /** What an earlier injection left in the template. */
  readonly live: Generated & { readonly injected: unknown };
  /**
   * The same of the template that is stored, if nobody has changed that besides what injection generates: then the
   * objects that the environment comes from may have changed, but not what its variables may refer to.
   */
  readonly unchanged: () => (Generated & { readonly injected: unknown }) | undefined;
  /** The template as it is stored now. */
  readonly stored: RawObject | undefined;
  /** The workload's own selector names the policy label: it is not added. */
  readonly keepsLabel: boolean;
  /** Marks the pods as restarted; a value other than the template's rolls them. */
  readonly restart: string | undefined;
  /** What was written for other workloads; undefined: nothing is remembered. */
  readonly written: WrittenConfigs | undefined;
  readonly warn: (text: string) => void;
}

type WrapContext = InjectionContext & { readonly room: Room };

export type Injected =
  | {
      readonly template: RawObject;
      /** Names of containers. */
      readonly wrapped: readonly string[];
      /** Containers that were left alone because the policy ignores failures. */
      readonly skipped: readonly Skipped[];
    }
  | { readonly denial: Denial };

/** Wraps the selected containers of a template without any traces of injection. */
export function inject(template: RawObject, selected: readonly Selected[], given: InjectionContext): Injected {
  const podSpec = podSpecOf(template) ?? {};
  const context = { ...given, rule: withDelivery(podSpec, given), room: roomForExpansion() };
  const volumes = volumeNames(podSpec, context.reservedVolumes);
  const role = roleFor(context.rule, context.options.role, serviceAccountOf(podSpec));
  const wrapped = new Map<Selected, Wrap>();
  const config = configWriter(context, role);
  const skipped: Skipped[] = [];
  let generated = 0;
  for (const target of selected) {
    const result = wrapContainer(target, volumes, config, context);
    generated += 'denial' in result ? 0 : result.configLength;
    if (generated > OBJECT_LIMIT) return { denial: tooLarge(selected.length) };
    if (!('denial' in result)) wrapped.set(target, result);
    else if (context.rule.failurePolicy === 'Fail') return { denial: result.denial };
    else {
      context.warn(`not injected: ${result.denial.message}`);
      result.notes?.forEach(context.warn);
      skipped.push({ name: target.name, ...result.denial });
    }
  }
  if (wrapped.size === 0) return { template, wrapped: [], skipped };
  const kept = isSameRule(context.rule, context.live.injected) ? context.live : NOTHING_GENERATED;
  const added = volumesFor(context.rule, volumes).map((volume) => withAdditions(volume, kept.volumes));
  const spec = withContainers(template, podSpec, volumes, wrapped, context);
  const record = encodeRecord({
    volumes: added.map((volume) => nameOf(volume) ?? ''),
    ...(hasPolicyLabel(template) && { ownLabel: true }),
    containers: [...wrapped.values()].map(({ entry }) => entry),
  });
  // One that came with a template from elsewhere would disappear at the next admission and roll the pods once more.
  const annotated = withAnnotations(template, {
    ...without(annotationsOf(template) ?? {}, annotation.restart),
    [annotation.injected]: injectedBy(context.rule, context.live.injected),
    [annotation.original]: record,
    ...(context.restart === undefined ? {} : { [annotation.restart]: context.restart }),
  });
  const injected = { ...annotated, spec: { ...spec, volumes: [...(asList(podSpec.volumes) ?? []), ...added] } };
  return {
    template: context.keepsLabel ? injected : withPolicyLabel(injected, context.rule.policy.name, context.stored),
    wrapped: [...wrapped.keys()].map(({ name }) => name),
    skipped,
  };
}

/**
 * Returns the rule with the delivery for this pod. What the operator has chosen for all is not for every pod, and an init
 * container that is there already stays as long as the policy does: replacing it would roll the pods for nothing.
 */
function withDelivery(podSpec: RawObject, { rule, live }: Pick<InjectionContext, 'rule' | 'live'>): Rule {
  if (!rule.injector.isAuto || rule.injector.delivery === 'InitContainer') return rule;
  // other runtimes than the node's usual one, and mounts with other owners: neither is known to take an image volume
  const isUnusual = asString(podSpec.runtimeClassName) !== undefined || podSpec.hostUsers === false;
  const isKept = live.installer !== undefined && isSameRule(rule, live.injected);
  return isUnusual || isKept ? { ...rule, injector: { ...rule.injector, delivery: 'InitContainer' } } : rule;
}

/**
 * The value of the annotation `injected`. A new generation of a policy with the same hash (another selector, say)
 * injects the same, so the existing value stays: changing it would roll every pod of the policy for nothing.
 */
function injectedBy({ policy, hash }: Rule, live: unknown): string {
  return isSameRule({ policy, hash }, live) ? String(live) : `${policy.name}/${policy.generation}/${hash}`;
}

/**
 * Whether the annotation `injected` says that the rule generated what is in the template: then what it does not generate
 * now was added by others. What an older rule generated is no addition.
 */
function isSameRule({ policy, hash }: Pick<Rule, 'policy' | 'hash'>, live: unknown): boolean {
  const [name, generation = '', liveHash, ...more] = asString(live)?.split('/') ?? [];
  return name === policy.name && liveHash === hash && more.length === 0 && /^\d{1,18}$/.test(generation);
}

function volumeNames(podSpec: RawObject, reserved: readonly string[]): VolumeNames {
  // The API server must reject a mount of a missing volume: ours must not take its place.
  const taken = new Set(reserved);
  for (const container of containersOf(podSpec)) for (const { volume } of mountsOf(container)) taken.add(volume);
  for (const volume of asList(podSpec.volumes) ?? []) taken.add(nameOf(volume) ?? '');
  const isTaken = (name: string): boolean => taken.has(name);
  return {
    executable: freeName('executable', isTaken),
    token: freeName('token', isTaken),
    ca: freeName('ca', isTaken),
    credentials: freeName('credentials', isTaken),
  };
}

interface Wrap {
  readonly container: RawObject;
  readonly entry: RecordedContainer;
  /** UTF-16 units. */
  readonly configLength: number;
}

/**
 * Writes VAULT_ENV_CONFIG once for all containers that mount at the same places: which is nearly always all of them.
 */
function configWriter(
  { rule, options, written: last }: InjectionContext,
  role: string,
): (places: ContainerPlaces) => Config {
  const written = new Map<string, Config>();
  const hasWishes = !isShallowlyEqual(options, optionsOfRule(rule));
  return (places) => {
    const { paths, terminationMessagePath } = places;
    const key = JSON.stringify([paths.token, paths.ca, paths.credentials, terminationMessagePath, role]);
    const isUsual = !hasWishes && terminationMessagePath === undefined;
    let config = written.get(key) ?? (isUsual ? last?.get(rule, key) : undefined);
    if (config === undefined) {
      const value = vaultEnvConfig(rule, options, role, places);
      config = configOf(value);
      if (isUsual) last?.set(rule, key, config);
      written.set(key, config);
    }
    return config;
  };
}

function configOf(value: string): Config {
  return { value, hash: shortHash(value) };
}

function isShallowlyEqual<T extends object>(a: T, b: T): boolean {
  return (Object.keys(a) as (keyof T)[]).every((key) => a[key] === b[key]);
}

function wrapContainer(
  target: Selected,
  volumes: VolumeNames,
  configFor: (places: ContainerPlaces) => Config,
  context: WrapContext,
): Wrap | { readonly denial: Denial; readonly notes?: readonly string[] } {
  const { name, container, list } = target;
  const { rule, entryPoints, live, warn } = context;
  if (hasConfigVariable(container)) return { denial: variableReserved(name) };
  const paths = mountPaths(container, rule);
  const executable = executableIn(paths.executable);
  const { original, unknown } = entryPoints.programOf(name, container);
  const generated = wrap(original, executable);
  if (generated === undefined) return entrypointUnknown(name, container, rule, unknown);
  if (unknown !== undefined) warn(`container ${name} keeps its previously known entry point: ${unknown.why}`);
  const shared = configFor({ paths, terminationMessagePath: terminationMessagePathOf(container) });
  const config = configNow(shared, target, context);
  const variable = { name: CONFIG_VARIABLE, value: config.value };
  const kept = isSameRule(rule, live.injected) ? live.containers.get(name) : undefined;
  const exec: string[] = [];
  const probed = rule.probes
    ? mapExecCommands(container, (field, command) => {
        const changed = wrapExec(command, executable);
        if (changed !== command) exec.push(field);
        return changed;
      })
    : container;
  const startupProbe = startupProbeFor(container, list, executable, rule);
  return {
    container: {
      ...probed,
      ...(startupProbe && { startupProbe: withAdditions(startupProbe, kept?.startupProbe ? [kept.startupProbe] : []) }),
      command: generated.command,
      args: generated.args,
      env: [...(asList(container.env) ?? []), withAdditions(variable, kept?.variable ? [kept.variable] : [])],
      volumeMounts: [
        ...(asList(container.volumeMounts) ?? []),
        ...mounts(volumes, paths).map((mount) => withAdditions(mount, kept?.mounts ?? [])),
      ],
    },
    entry: {
      ...{ name, original, mountPath: paths.executable, exec, config: config.hash },
      ...(startupProbe && { startupProbe: Number(startupProbe.failureThreshold) }),
    },
    configLength: config.value.length,
  };
}

/**
 * Returns the configuration with what the container's variables may refer to, if there is anything to tell vault-env.
 *
 * @param shared what containers have in common
 */
function configNow(shared: Config, target: Selected, context: WrapContext): Config {
  const { name, container, environment, isOpen } = target;
  if (!isOpen) return shared;
  const { rule, live, unchanged } = context;
  const liveVariable = live.containers.get(name)?.variable;
  const permitted = permittedIn(container, environment, liveVariable, context.room);
  if (permitted === undefined) return shared;
  const value = withPermitted(shared.value, permitted);
  // The stored template is looked into only if there is a difference.
  const before = value === liveVariable?.value ? undefined : unchanged();
  const isKept = before !== undefined && isSameRule(rule, before.injected);
  const kept = isKept ? permittedBy(before.containers.get(name)?.variable) : undefined;
  return configOf(kept === undefined ? value : withPermitted(shared.value, kept));
}

/** Returns undefined where it is the default: the API server writes that out. */
function terminationMessagePathOf({ terminationMessagePath }: RawObject): string | undefined {
  return terminationMessagePath === DEFAULT_TERMINATION_MESSAGE_PATH ? undefined : asString(terminationMessagePath);
}

/** Returns mount paths at which and below which the container mounts nothing yet. */
function mountPaths(container: RawObject, rule: Rule): MountPaths {
  // A mount at or below ours has the same first segment: ours have only one, which begins with the executable's name.
  const mounted = mountsOf(container).filter(({ path }) => path.includes(EXECUTABLE));
  const taken = new Set(mounted.map(({ path }) => path.split('/').find((segment) => segment !== '')));
  const free = (purpose: Purpose): string => `/${freeName(purpose, (name) => taken.has(name))}`;
  return {
    executable: free('executable'),
    token: takesToken(rule) ? free('token') : undefined,
    ca: rule.vault.tls.caRef && free('ca'),
    credentials: takesSecret(rule) ? free('credentials') : undefined,
  };
}

function mounts(volumes: VolumeNames, paths: MountPaths): readonly RawObject[] {
  return PURPOSES.filter((purpose) => paths[purpose] !== undefined).map((purpose) => ({
    name: volumes[purpose],
    mountPath: paths[purpose],
    readOnly: true,
  }));
}

function withContainers(
  template: RawObject,
  podSpec: RawObject,
  volumes: VolumeNames,
  wrapped: ReadonlyMap<Selected, Wrap>,
  { rule, live, reservedVolumes }: InjectionContext,
): RawObject {
  const spec: Record<string, unknown> = { ...podSpec };
  for (const list of CONTAINER_LISTS) {
    const changes = [...wrapped].filter(([target]) => target.list === list);
    if (changes.length === 0) continue;
    const containers = [...(asList(podSpec[list]) ?? [])];
    for (const [{ index }, { container }] of changes) containers[index] = container;
    spec[list] = containers;
  }
  if (rule.injector.delivery === 'InitContainer') {
    const names = new Set(containersOf(podSpec).map(nameOf));
    const known = new Set([
      ...(asList(podSpec.volumes) ?? []).map(nameOf),
      ...Object.values(volumes),
      ...reservedVolumes,
    ]);
    const isVolume = (volume: string): boolean => known.has(volume);
    const name = freeName('executable', (candidate) => names.has(candidate));
    const generated = installerFor(rule, name, volumes.executable, template, live.installer);
    const installer = isSameRule(rule, live.injected)
      ? installerWithAdditions(generated, live.installer, rule.injector.resources !== undefined, isVolume)
      : generated;
    spec.initContainers = [installer, ...(asList(spec.initContainers) ?? [])];
  }
  return spec;
}

function tooLarge(containers: number): Denial {
  const message =
    `the configuration of vault-env in ${containers} containers would exceed the ${OBJECT_LIMIT} bytes that can ` +
    'be stored: inject fewer containers, or refer to the CA by tls.caRef';
  return { reason: 'RecordTooLarge', message };
}

function variableReserved(name: string): Denial {
  const message = `container ${name} sets ${CONFIG_VARIABLE} itself: remove it, or exclude the container in the policy`;
  return { reason: 'VariableReserved', message };
}
