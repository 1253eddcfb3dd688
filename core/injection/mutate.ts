/**
 * Admission of a workload, in one sentence: restore the pod template to what the user means, then inject what the
 * policy says, and answer with the operations that turn the original into the result. Pure: no I/O, no clock, no state.
 */
import { choose, governorsOf, isUsable } from '../policy/governing.ts';
import { matchingRules } from '../policy/match.ts';
import { keepsPods, makerOf, rowOf, templateOf } from '../kinds.ts';
import type { Kinds, Maker, WorkloadKind } from '../kinds.ts';
import type { Governor, Rule, RuleSnapshot } from '../policy/rule.ts';
import { apiTokenFor, needsWith, skippedForToken, tokenUnwanted, warnOfToken } from './api-token.ts';
import { deniedPath } from './bounds.ts';
import { excessOf, excessOfImages, excessOfPatterns, STORED, WRITTEN } from './budget.ts';
import { entryPointsOf } from './entry-points.ts';
import { warnOfForeignAnnotations } from './foreign-annotations.ts';
import { hold, unusable, workloadTooLarge } from './hold.ts';
import { oversizedOf } from '../oversized.ts';
import type { KnownImages } from './images.ts';
import { inject } from './inject.ts';
import { hasInjectedTemplate } from './injected.ts';
import type { InjectionContext } from './inject.ts';
import { asList, asObject, asString, equal, own } from '../json.ts';
import type { RawObject } from '../json.ts';
import { annotation, asBoolean } from './annotations.ts';
import type { Denial, Details, MutationResult, Outcome } from './outcome.ts';
import { readWishes, optionsOf } from './overrides.ts';
import type { Wishes } from './overrides.ts';
import { diff } from './patch.ts';
import { otherSystemOf } from './operating-system.ts';
import { annotationsOf, containersOf, nameOf, podSpecOf } from './pod.ts';
import { isSelectedByLabel } from './policy-label.ts';
import { positionEdit } from './position-edits.ts';
import { allReadsOf } from './reads.ts';
import { ANNOTATIONS_LIMIT } from './record.ts';
import { reproduce } from './reproduce.ts';
import { restore } from './restore.ts';
import type { Restored } from './restore.ts';
import { denied, result } from './result.ts';
import type { About } from './result.ts';
import { select } from './selection.ts';
import type { Selected } from './selection.ts';
import { deniedSource, skippedSource, warnOfSource } from './source-notes.ts';
import type { KnownSources } from './sources.ts';
import { startFaults } from './start-faults.ts';
import { warnOfLookalikes, warnOfUnresolved } from './unresolved.ts';
import { unselected } from './unselected.ts';
import { labelsOfWorkload, leaveAlone, leaveUnread } from './too-large.ts';
import type { WrittenConfigs } from './written-configs.ts';

export interface MutationInput {
  readonly kind: WorkloadKind;
  /** Those that the operator knows; default: the built-in ones. */
  readonly kinds?: Kinds;
  readonly namespace: string;
  /** Empty if the API server has yet to generate it. */
  readonly name: string;
  /** The whole object as the API server sent it, parsed and otherwise untouched. */
  readonly object: unknown;
  /** The same as it is stored, if it is being updated. */
  readonly stored?: unknown;
  readonly rules: RuleSnapshot;
  /** What is known about images; left out if nothing is. The result's `needs` says which to look up. */
  readonly images?: KnownImages;
  /** The same for ConfigMaps and Secrets, with the result's `sourceNeeds`. */
  readonly sources?: KnownSources;
  /** Characters of the JSON of `object` and `stored`, at most; left out if that is not known. */
  readonly characters?: number;
  /** Whether the result includes `details`, which an admission does not use. */
  readonly detailed?: boolean;
}

type WithoutInjection = (outcome: Outcome, about?: About) => MutationResult;

/**
 * Decides about one workload. Never throws, whatever the object is.
 * @param written remembers what was written for other workloads, which saves time and changes nothing
 */
export function mutateWorkload(input: MutationInput, written?: WrittenConfigs): MutationResult {
  const { kind, kinds, namespace, object, rules } = input;
  const workload = asObject(object);
  if (workload === undefined) {
    return denied({ reason: 'MalformedObject', message: 'the object under review is not a JSON object' });
  }
  const governors = governorsOf(rules, namespace);
  const oversized = oversizedOf(workload);
  if (oversized !== undefined) return leaveUnread(oversized, governors, workload, input);
  const maker = makerOf(kind, workload, kinds);
  const matching = matchingRules(governors, kind, labelsOfWorkload(workload), maker);
  const template = templateOf(kind, workload, kinds);
  const podSpec = template && podSpecOf(template);
  // Without a template or containers there is nothing to inject; the API server's validation reports what is missing.
  if (template === undefined || podSpec === undefined) return result(matching[0] ? 'Unchanged' : 'NoPolicy', {});
  const { characters } = input;
  const isTooLarge = excessOf(workload, template, STORED, characters);
  if (isTooLarge !== undefined) return leaveAlone(isTooLarge, matching, workload, template, input);
  if (maker !== undefined && hasInjectedTemplate(kind, workload, kinds))
    return result('Unchanged', { reason: 'it was made from a template that is injected' });
  const before = templateOf(kind, asObject(input.stored), kinds);
  if (!rowOf(kind, kinds).templateMayChange && before !== undefined)
    return reproduced(before, template, workload, input);
  const restored = restore(template, isSelectedByLabel(workload));
  const excess = excessOf(workload, restored.template, WRITTEN, characters);
  if (excess !== undefined) return leaveAlone(excess, matching, workload, template, input);
  const stored = asObject(input.stored);
  // what was too large may become smaller, and is not compared
  const isComparable = stored && before && excessOf(stored, before, STORED, characters) === undefined;
  return review(workload, template, restored, matching, {
    ...input,
    maker,
    governors,
    stored: isComparable ? stored : undefined,
    written,
  });
}

function review(
  workload: RawObject,
  template: RawObject,
  restored: Restored,
  matching: readonly Governor[],
  {
    kind,
    kinds,
    maker,
    governors,
    stored,
    images,
    sources,
    detailed = false,
    written,
  }: MutationInput & {
    readonly maker: Maker | undefined;
    readonly governors: readonly Governor[];
    readonly written: WrittenConfigs | undefined;
  },
): MutationResult {
  const templatePath = pathOf(kind, kinds);
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  const detailsOf = (rule: Governor | undefined, known: Partial<Details> = {}): Details | undefined => {
    if (!detailed) return undefined;
    const yielding = matching.filter((other) => other !== rule).map(({ policy }) => policy.name);
    return { unwrapped: [], isTraced: restored.template !== template, faults: [], reads: [], yielding, ...known };
  };
  const literals = matching.flatMap((governor) => ('environment' in governor ? governor.environment.literals : []));
  // What nobody reads is not looked for.
  const advise = (spec: RawObject, wrapped: readonly string[], literal?: string): void => {
    if (detailed) return;
    for (const container of containersOf(spec)) {
      if (literal !== undefined) warnOfUnresolved(container, literal, warn, literals);
      warnOfLookalikes(container, warn, literals);
    }
    // a pod is its own template: what is injected there is nobody's mistake
    const written = template === workload ? restored.template : workload;
    warnOfForeignAnnotations(written, restored.template, wrapped.length > 0, warn);
  };
  const withoutInjection: WithoutInjection = (outcome, { literal, ...about } = {}) => {
    advise(podSpecOf(restored.template) ?? {}, [], literal);
    const patch = diff(template, restored.template, templatePath);
    const named = patch.length > 0 && outcome !== 'Excluded' ? 'Restored' : outcome;
    return result(named, { patch, warnings, details: detailsOf(about.rule), ...about });
  };
  for (const name of restored.uncertain) {
    warn(`container ${name}: the record of its command is missing; set its command and args again`);
  }
  const wishes = readWishes(workload, restored.template, warn);
  const rule = choose(matching, wishes.policy);
  const before = templateOf(kind, asObject(stored), kinds);
  const damage = positionEdit(before, template, rule && isUsable(rule) ? rule.injector.image : undefined, warn);
  if (damage !== undefined) return denied(damage, { warnings, rule, details: detailsOf(rule) });
  if (rule === undefined) {
    const subject = { kind, labels: labelsOfWorkload(workload), maker };
    const literal = unselected(governors, subject, template);
    return noRule(matching, wishes, literal, warn, withoutInjection);
  }
  if (wishes.inject === false) {
    const reason = 'inject is "false"';
    return withoutInjection('Excluded', { rule, reason, literal: reason, exclusion: 'AnnotatedFalse' });
  }
  const system = otherSystemOf(podSpecOf(restored.template) ?? {});
  if (system !== undefined) {
    const reason = `its pods are for ${system}, and vault-env is for Linux`;
    if (wishes.inject === true) warn(`${annotation.inject}: nothing is injected, ${reason}`);
    return withoutInjection('Excluded', { rule, reason, literal: reason, exclusion: 'OtherOperatingSystem' });
  }
  if (!isUsable(rule)) {
    advise(
      podSpecOf(template) ?? {},
      restored.wrapped.size > 0 ? [...restored.wrapped] : [],
      `policy ${rule.policy.name} cannot be used`,
    );
    return hold(rule, unusable(rule), !equal(template, before), warnings, detailsOf(rule));
  }
  if (rule.when === 'Annotation' && wishes.inject !== true) {
    const reason = 'inject is not "true"';
    const literal = `policy ${rule.policy.name} wants ${annotation.inject}: "true"`;
    return withoutInjection('Excluded', { rule, reason, literal, exclusion: 'AnnotationMissing' });
  }

  const options = optionsOf(rule, wishes, warn);
  const said = warnings.length;
  const selection = select(podSpecOf(restored.template) ?? {}, {
    rule,
    options,
    known: sources,
    wasWrapped: restored.wrapped,
    isAsked: wishes.inject === true,
    warn,
  });
  const { selected, untold } = selection;
  const tooLarge = (excess: string): MutationResult =>
    hold(rule, workloadTooLarge(excess, rule), !equal(template, before), warnings, detailsOf(rule));
  if (selection.excess !== undefined) return tooLarge(selection.excess);
  const entryPoints = entryPointsOf(podSpecOf(restored.template) ?? {}, selected, rule, restored.images, images);
  const excess =
    excessOfImages(entryPoints.needs?.images.length ?? 0) ?? excessOfPatterns(referencesIn(selected), patternsOf(rule));
  if (excess !== undefined) return tooLarge(excess);
  const isInjected = restored.wrapped.size > 0;
  const token = apiTokenFor(podSpecOf(restored.template) ?? {}, { rule, selected, known: sources, isInjected });
  const needs = { needs: entryPoints.needs, sourceNeeds: needsWith(token.asks, selection) };
  const refused = (why: Denial): MutationResult => denied(why, { warnings, rule, details: detailsOf(rule), ...needs });
  const denial = deniedPath(selected, rule, options) ?? deniedSource(untold, rule);
  if (denial !== undefined) return refused(denial);
  if (token.unwanted !== undefined && selected.length > 0) {
    const isChanged = !equal(template, before);
    if (detailed || !isChanged || rule.failurePolicy === 'Fail') {
      return hold(rule, tokenUnwanted(rule, token.unwanted), isChanged, warnings, detailsOf(rule));
    }
    warnOfToken(rule, token.unwanted, warn);
    const skipped = skippedForToken(rule, token.unwanted, selected);
    return withoutInjection('Unchanged', { ...needs, rule, skipped, reason: 'not injected: TokenOptedOut' });
  }
  if (token.note !== undefined) warn(token.note);
  for (const one of untold) warnOfSource(one, warn);
  const live = { injected: annotationsOf(template)?.[annotation.injected], ...restored.generated };
  const injected = inject(restored.template, selected, {
    rule,
    entryPoints,
    options,
    reservedVolumes: claimNames(workload),
    live,
    unchanged: detailed ? () => live : whatIsUnchanged(template, before, restored, live, workload),
    stored: stored === undefined ? template : before,
    keepsLabel: isSelectedByLabel(workload),
    restart: restartOf(workload),
    written,
    warn,
  });
  if ('denial' in injected) return refused(injected.denial);
  const { wrapped } = injected;
  const skipped = [...untold.map(skippedSource), ...injected.skipped];
  const notInjected = skipped.map(({ name, reason }) => `${name}:${reason}`).join(', ');
  const about = {
    ...needs,
    rule,
    wrapped,
    skipped,
    reason: notInjected === '' ? undefined : `not injected: ${notInjected}`,
  };
  if (wrapped.length === 0) {
    // what is not read is said already, and may refer to Vault
    if (skipped.length === 0 && wishes.inject === true && warnings.length === said) {
      warn(`${annotation.inject}: nothing is injected, no container that the policy selects refers to Vault`);
    }
    return withoutInjection('Unchanged', skipped.length === 0 ? { ...about, exclusion: 'NothingToInject' } : about);
  }
  const oversize = oversizeOf(injected.template);
  if (oversize !== undefined) return refused(oversize);
  if (isRolledByOperator(rule) && !keepsPods(kind, workload, kinds)) warn(LOSES_PODS);
  advise(podSpecOf(restored.template) ?? {}, wrapped);
  const patch = diff(template, injected.template, templatePath);
  const unwrapped = detailed ? unwrappedOf(template, selected, wrapped) : [];
  const details = detailsOf(rule, {
    unwrapped,
    ...(detailed && allReadsOf(template, selected, wrapped, rule, options)),
    faults: detailed ? startFaults(selected, rule) : [],
  });
  return result(patch.length > 0 ? 'Injected' : 'Unchanged', { ...about, patch, warnings, details });
}

const LOSES_PODS =
  'set strategy RollingUpdate with maxUnavailable 0: this one ends all pods before the new ones have their secrets';

function isRolledByOperator({ rollout, rotation }: Rule): boolean {
  return rollout.strategy === 'Automatic' || rotation.strategy === 'Restart';
}

/** Returns how to find what injection has left in the stored template, if that means the same as the one under review. */
function whatIsUnchanged(
  template: RawObject,
  before: RawObject | undefined,
  restored: Restored,
  live: InjectionContext['live'],
  workload: RawObject,
): InjectionContext['unchanged'] {
  return () => {
    if (before === undefined) return undefined;
    if (equal(template, before)) return live;
    const other = restore(before, isSelectedByLabel(workload));
    if (!equal(other.template, restored.template)) return undefined;
    return { injected: annotationsOf(before)?.[annotation.injected], ...other.generated };
  };
}

/** If restoring changed no command, there was no wrapper. */
function unwrappedOf(live: RawObject, selected: readonly Selected[], wrapped: readonly string[]): readonly string[] {
  const commands = new Map(containersOf(podSpecOf(live) ?? {}).map((item) => [nameOf(item), item.command]));
  return selected
    .filter(({ name, container }) => wrapped.includes(name) && commands.get(name) === container.command)
    .map(({ name }) => name);
}

/** An update of what was injected on creation, or never will be. */
function reproduced(
  stored: RawObject,
  edited: RawObject,
  workload: RawObject,
  { kind, kinds, characters, stored: before }: MutationInput,
): MutationResult {
  const reason = `the template of a ${kind} cannot change`;
  if (excessOf(asObject(before) ?? {}, stored, STORED, characters) !== undefined)
    return result('Unchanged', { reason });
  const template = reproduce(stored, edited, isSelectedByLabel(workload));
  const isUnwanted = asBoolean(asString(own(annotationsOf(workload), annotation.inject)) ?? '') === false;
  const stays = `${annotation.inject}: what is injected stays, ${reason}; delete it, and create it again`;
  const isKept = isUnwanted && annotationsOf(stored)?.[annotation.injected] !== undefined;
  const patch = diff(edited, template, pathOf(kind, kinds));
  return result('Unchanged', { patch, reason, ...(isKept && { warnings: [stays] }) });
}

function pathOf(kind: WorkloadKind, kinds: Kinds | undefined): string {
  return rowOf(kind, kinds)
    .template.map((field) => `/${field}`)
    .join('');
}

/** What the operator requested; any other value was written by somebody else and rolls nothing. */
function restartOf(workload: RawObject): string | undefined {
  const value = annotationsOf(workload)?.[annotation.restart];
  return typeof value === 'string' && /^[0-9a-f]{12}$/.test(value) ? value : undefined;
}

function referencesIn(selected: readonly Selected[]): number {
  const variables = selected.flatMap(({ references }) => references);
  return variables.reduce((sum, { references }) => sum + references.length, 0);
}

/** The patterns that references are compared with. */
function patternsOf({ environment }: Rule): readonly string[] {
  return environment.writes.length === 0
    ? environment.allowedPaths
    : [...environment.allowedPaths, ...environment.writes];
}

/**
 * A named policy that does not match is a mistake to report; injecting by another one would be worse than not
 * injecting.
 */
function noRule(
  matching: readonly Governor[],
  wishes: Wishes,
  literal: string | undefined,
  warn: (text: string) => void,
  withoutInjection: WithoutInjection,
): MutationResult {
  if (matching.length === 0) {
    if (wishes.inject === true) warn(`${annotation.inject}: no policy applies to this workload; nothing is injected`);
    return withoutInjection('NoPolicy', literal === undefined ? {} : { literal });
  }
  const names = matching.map(({ policy }) => policy.name).join(', ');
  warn(`${annotation.policy}: no such policy for this workload, nothing is injected; choose one of ${names}`);
  const reason = 'the named policy does not apply to this workload';
  return withoutInjection('Excluded', { reason, literal: reason, exclusion: 'OtherPolicyNamed' });
}

/** A StatefulSet's claims become volumes of its pods and replace those of the template that have the same name. */
function claimNames(workload: RawObject): readonly string[] {
  const claims = asList(asObject(workload.spec)?.volumeClaimTemplates) ?? [];
  return claims.map((claim) => nameOf(asObject(claim)?.metadata)).filter((name) => name !== undefined);
}

function oversizeOf(template: RawObject): Denial | undefined {
  const entries = Object.entries(annotationsOf(template) ?? {});
  const characters = entries.reduce((sum, [key, value]) => sum + key.length + String(value).length, 0);
  if (characters * 3 <= ANNOTATIONS_LIMIT) return undefined; // UTF-8 takes at most 3 bytes per UTF-16 unit
  const bytes = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)),
    0,
  );
  if (bytes <= ANNOTATIONS_LIMIT) return undefined;
  const message =
    `the annotations of the pod template would take ${bytes} bytes, and Kubernetes allows ${ANNOTATIONS_LIMIT}: ` +
    `${annotation.original} keeps the original command and args; shorten them, move scripts into a ConfigMap or the image, ` +
    'or exclude the container in the policy';
  return { reason: 'RecordTooLarge', message };
}
