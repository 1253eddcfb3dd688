/**
 * Edits of a stored workload by position, as a JSON patch makes them (`/spec/…/args/0`). Anybody who writes one counts from
 * the manifest; the API server counts from what injection generated, so that the edit hits another word, and can take the
 * place of the program itself. What damages generated words is refused: what was meant cannot be told.
 *
 * An apply or a merge replaces such a list as a whole, and an edit of the live object leaves its beginning alone. Pure.
 */
import { asList, asObject, asString, asStrings, equal } from '../json.ts';
import type { RawObject } from '../json.ts';
import { annotation } from './annotations.ts';
import { END_OF_OPTIONS } from './names.ts';
import type { Denial } from './outcome.ts';
import { annotationsOf, containersOf, mapExecCommands, nameOf, podSpecOf } from './pod.ts';
import { entryFinder, executableIn, generatedFor } from './record.ts';
import type { RecordedContainer } from './record.ts';
import { findTraces, isInstaller, ourSourceOf } from './traces.ts';

type Words = readonly string[];

/**
 * Returns why an update is refused; undefined if it damages nothing of ours by position. Warns where words behind what was
 * generated have changed in place: anybody who did that looked at the stored object, or counted from the manifest. An update that also brings another
 * record is a copy, an undo, or the result of an admission, and none of that is an edit.
 *
 * @param stored the template before the update, as far as there is one
 * @param image of the init container, as the policy wants it; undefined if no policy applies
 */
export function positionEdit(
  stored: RawObject | undefined,
  edited: RawObject,
  image: string | undefined,
  warn: (text: string) => void,
): Denial | undefined {
  const before = stored && podSpecOf(stored);
  const after = podSpecOf(edited);
  const record = stored && annotationsOf(stored)?.[annotation.original];
  if (before === undefined || after === undefined || stored === undefined || record === undefined) return undefined;
  if (record !== annotationsOf(edited)?.[annotation.original] || equal(before, after)) return undefined;
  const traces = findTraces(stored, before);
  if (traces === undefined) return undefined;
  const entryOf = entryFinder(traces.record);
  const edits = new Map(containersOf(after).map((container) => [nameOf(container) ?? '', container]));
  for (const container of containersOf(before)) {
    const name = nameOf(container) ?? '';
    const other = edits.get(name);
    if (isInstaller(container, traces)) {
      const fault = faultOfInstaller(container, other, after, image);
      if (fault !== undefined) return denial(`initContainers: ${name} is the operator's and the first; ${fault}`);
      continue;
    }
    const entry = entryOf(name, container.args);
    if (entry === undefined || other === undefined) continue;
    const field = damagedField(container, other, entry);
    if (field !== undefined) return denial(`container ${name}: ${field} of the stored object is generated`);
    if (isEditedBehind(asStrings(container.args), asStrings(other.args), headOf(entry)))
      warn(`container ${name}: args changed in place; as stored they begin with the command, which shifts positions`);
  }
  return undefined;
}

function denial(what: string): Denial {
  const message = `${what}, so positions differ from those of the manifest: apply the manifest, or patch whole lists`;
  return { reason: 'EditedByPosition', message };
}

/** Returns the field of a wrapped container in which an edit has damaged what was generated. */
function damagedField(stored: RawObject, edited: RawObject, entry: RecordedContainer): string | undefined {
  const { original } = entry;
  const executable = executableIn(entry.mountPath);
  const args = asStrings(stored.args) ?? [];
  if (!equal(stored.command, [executable]) || !equal(args, generatedFor(entry)?.args)) return undefined;
  const command = asStrings(edited.command) ?? [];
  if (!equal(command, [executable])) {
    if (command.includes(executable)) return 'command';
    // one word in the place of the generated one, which stands for all of the command
    const isOneOfMany = command.length <= 1 && edited.command !== undefined && (original.command ?? []).length > 1;
    if (isOneOfMany && equal(edited.args, stored.args) && original.args !== undefined) return 'command';
  } else if (isDamaged(args, asStrings(edited.args), headOf(entry), original.command === undefined)) return 'args';
  return damagedExec(stored, edited, executable);
}

/** How many words at the beginning of the generated args are not the user's args. */
function headOf({ original: { command, image } }: RecordedContainer): number {
  return 1 + (command ?? image?.entrypoint ?? []).length;
}

/** Whether a list still begins as it was generated, and more than words at its end has changed. */
function isEditedBehind(generated: Words | undefined, edited: Words | undefined, head: number): boolean {
  if (generated === undefined || edited === undefined) return false;
  if (generated[0] !== END_OF_OPTIONS || !equal(generated.slice(0, head), edited.slice(0, head))) return false;
  const common = Math.min(generated.length, edited.length);
  return !equal(generated.slice(head, common), edited.slice(head, common));
}

function damagedExec(stored: RawObject, edited: RawObject, executable: string): string | undefined {
  const before = execCommandsOf(stored);
  for (const [name, words] of execCommandsOf(edited)) {
    const generated = before.get(name);
    if (generated?.[0] !== executable || generated[1] !== END_OF_OPTIONS) continue;
    if (isDamaged(generated, words, 2, false)) return name;
  }
  return undefined;
}

function execCommandsOf(container: RawObject): ReadonlyMap<string, Words> {
  const commands = new Map<string, Words>();
  mapExecCommands(container, (name, command) => {
    commands.set(name, command);
    return undefined;
  });
  return commands;
}

/**
 * Whether a list is a generated one in which a word of the head was replaced, removed, or has got another one in front of
 * it: some of the head is still there, and not all of it at the beginning.
 *
 * @param mayBeOwn whether a user may have written a list that begins with the first word of the head
 */
function isDamaged(generated: Words, edited: Words | undefined, head: number, mayBeOwn: boolean): boolean {
  if (edited === undefined || head < 2) return false;
  const same = (index: number): boolean => generated[index] === edited[index];
  let prefix = 0;
  while (prefix < edited.length && prefix < generated.length && same(prefix)) prefix++;
  if (prefix >= head || (prefix === generated.length && edited.length === prefix)) return false;
  let suffix = 0;
  const most = Math.min(generated.length, edited.length) - prefix;
  while (suffix < most && generated.at(-1 - suffix) === edited.at(-1 - suffix)) suffix++;
  const isWordLeft = generated.slice(1, head).some((_, index) => index + 1 < edited.length && same(index + 1));
  const isTailOfHead = suffix > 0 && generated.length - suffix < head;
  return isWordLeft || isTailOfHead || (prefix > 0 && (suffix > 0 || !mayBeOwn));
}

/** Returns what an edit has done to the init container of ours. */
function faultOfInstaller(
  stored: RawObject,
  edited: RawObject | undefined,
  podSpec: RawObject,
  image: string | undefined,
): string | undefined {
  if (edited === undefined) {
    // one that admission itself has removed, for an image volume, is not there when another webhook has it called again
    const isNeeded = asList(podSpec.volumes)?.some((volume) => {
      const object = asObject(volume);
      return object !== undefined && nameOf(object) === volumeOf(stored) && ourSourceOf(object) === 'emptyDir';
    });
    return isNeeded === true ? 'it was removed' : undefined;
  }
  if (!equal(stored.command, edited.command) || !equal(stored.args, edited.args)) return 'its command was changed';
  const now = asString(edited.image) ?? '';
  // other webhooks write another registry in front of an image
  const isKnown = [asString(stored.image) ?? '', image ?? ''].some((known) => baseName(known) === baseName(now));
  return isKnown ? undefined : 'its image was changed';
}

function volumeOf(installer: RawObject): string | undefined {
  return nameOf(asList(installer.volumeMounts)?.[0]);
}

/** Returns the last segment of an image's name, without tag and digest. */
function baseName(image: string): string {
  const name = image.split('@')[0]?.split('/').pop() ?? '';
  return name.split(':')[0] ?? '';
}
