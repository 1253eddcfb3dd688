/** What containers without a command start: from the policy, from a registry, or from its last known answer. */
import { matchesWildcard } from '../policy/match.ts';
import type { Rule } from '../policy/rule.ts';
import { isKnown } from './images.ts';
import type { EntryPoint, ImageNeeds, ImageUnknown, KnownImages } from './images.ts';
import { asList, asString, asStrings } from '../json.ts';
import { isObjectName } from '../object-names.ts';
import type { RawObject } from '../json.ts';
import type { Denial } from './outcome.ts';
import { nameOf, serviceAccountOf } from './pod.ts';
import type { ImageWords, Original } from './program.ts';
import type { Selected } from './selection.ts';

export interface Program {
  readonly original: Original;
  /** Why the image's entrypoint is unknown. */
  readonly unknown?: ImageUnknown;
}

export interface EntryPoints {
  programOf(name: string, container: RawObject): Program;
  /** Undefined if no registry needs to be asked. */
  readonly needs: ImageNeeds | undefined;
}

/**
 * @param recorded by container name: what a registry answered when the container was injected
 * @param images what is known now
 */
export function entryPointsOf(
  podSpec: RawObject,
  selected: readonly Selected[],
  rule: Rule,
  recorded: ReadonlyMap<string, ImageWords>,
  images: KnownImages | undefined,
): EntryPoints {
  const unasked = selected
    .filter(({ name, container }) => isUnasked(container, rule, recorded.get(name), images))
    .map(({ container }) => imageOf(container));
  return {
    programOf: (name, container) => programOf(container, rule, recorded.get(name), images),
    needs: unasked.length === 0 ? undefined : needsOf(podSpec, [...new Set(unasked)]),
  };
}

/**
 * `generated` is empty: there is nothing to put vault-env in front of. The notes hold what a denial says at its end: a
 * warning is cut at 120 characters, so what to do comes first.
 */
export function entrypointUnknown(
  name: string,
  container: RawObject,
  { policy }: Rule,
  unknown: ImageUnknown | undefined,
): { readonly denial: Denial; readonly notes: readonly string[] } {
  const advice = unknown?.advice === undefined ? [] : [unknown.advice];
  const because = unknown === undefined ? '' : `: ${[unknown.why, ...advice].join('; ')}`;
  const message =
    `container ${name} has no command: set one, or add its image to images of policy ${policy.name}; ` +
    `the entry point of ${imageOf(container)} is not known${because}`;
  const notes = unknown === undefined ? [] : [`image of container ${name}: ${unknown.why}`, ...advice];
  return { denial: { reason: 'EntrypointUnknown', message }, notes };
}

function programOf(
  container: RawObject,
  rule: Rule,
  recorded: ImageWords | undefined,
  images: KnownImages | undefined,
): Program {
  const command = asStrings(container.command);
  const args = asStrings(container.args);
  if (command !== undefined) return { original: { command, args } };
  const image = imageOf(container);
  const hint = hintFor(image, rule);
  if (hint !== undefined) return { original: { command, args, image: verbatim(hint) } };
  const last = recorded?.of === image ? recorded : undefined;
  const answer = isSettled(last) ? undefined : images?.(image);
  if (isKnown(answer)) {
    const unknown = isEmpty(answer, args) ? { unknown: { why: 'the image has neither ENTRYPOINT nor CMD' } } : {};
    return { original: { command, args, image: { ...verbatim(answer), of: image } }, ...unknown };
  }
  // What was true when it was injected is better than removing the injection because a registry is unavailable.
  const words = last === undefined ? {} : { image: last };
  return { original: { command, args, ...words }, ...(answer && { unknown: answer }) };
}

function isUnasked(
  container: RawObject,
  rule: Rule,
  recorded: ImageWords | undefined,
  images: KnownImages | undefined,
): boolean {
  if (asStrings(container.command) !== undefined) return false;
  const image = imageOf(container);
  if (image === '' || hintFor(image, rule) !== undefined) return false;
  if (recorded?.of === image && isSettled(recorded)) return false;
  return images?.(image) === undefined;
}

/** A digest always names the same bytes: what a registry once answered for it need not be looked up again. */
function isSettled(recorded: ImageWords | undefined): boolean {
  return recorded?.of?.includes('@') === true;
}

function needsOf(podSpec: RawObject, images: readonly string[]): ImageNeeds {
  const secrets = (asList(podSpec.imagePullSecrets) ?? []).map(nameOf);
  // none of such a name can exist: API servers refuse it after us, or kubelets ignore it
  const pullSecrets = secrets.filter((name) => name !== undefined && isObjectName(name)) as string[];
  return { images, serviceAccount: serviceAccountOf(podSpec), pullSecrets };
}

function hintFor(image: string, { images }: Rule): EntryPoint | undefined {
  return images.find(({ match }) => matchesWildcard(match, image));
}

/**
 * The words of an image's entrypoint as a manifest has to write them: the kubelet expands `$(NAME)` and `$$` in command
 * and args, but not in an image's ENTRYPOINT and CMD (ExpandContainerCommandAndArgs in
 * k8s.io/kubernetes/pkg/kubelet/container).
 */
function verbatim({ entrypoint, cmd }: EntryPoint): EntryPoint {
  const escaped = (words: readonly string[]): readonly string[] =>
    words.map((word) => word.replaceAll('$', () => '$$'));
  return { entrypoint: escaped(entrypoint), cmd: escaped(cmd) };
}

function isEmpty({ entrypoint, cmd }: EntryPoint, args: readonly string[] | undefined): boolean {
  return entrypoint.length === 0 && (args ?? cmd).length === 0;
}

function imageOf(container: RawObject): string {
  return asString(container.image) ?? '';
}
