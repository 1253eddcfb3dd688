import { asList, asString, asStrings, equal } from '../json.ts';
import type { RawObject } from '../json.ts';
import { END_OF_OPTIONS } from './names.ts';
import { generatedFor } from './record.ts';
import type { RecordedContainer } from './record.ts';

/** `command` and `args` to write into the container; undefined for absent. */
export interface Unwrapped {
  readonly command: unknown;
  readonly args: unknown;
  /** The record's entry, if what was found agrees with it. */
  readonly trusted: RecordedContainer | undefined;
  /** Something generated was found, but not what had been there before. */
  readonly isUncertain: boolean;
}

/**
 * Returns the command and args from before injection, for a container with traces of it.
 * @param entry the container's entry in the record, if there is one
 * @param executables paths of vault-env that a generated command can consist of
 */
export function unwrap(
  container: RawObject,
  entry: RecordedContainer | undefined,
  executables: ReadonlySet<string>,
): Unwrapped {
  const live = { command: container.command, args: container.args };
  const isWrapper = asList(live.command)?.length === 1 && executables.has(asString(asList(live.command)?.[0]) ?? '');
  const recorded = entry && fromRecord(live, entry, isWrapper);
  if (recorded !== undefined) return { ...recorded, trusted: entry, isUncertain: false };
  return { ...fromStructure(live, isWrapper), trusted: undefined };
}

interface Fields {
  readonly command: unknown;
  readonly args: unknown;
}

/** Decides field by field; returns undefined if the entry is for a program other than the one wrapped here. */
function fromRecord(live: Fields, entry: RecordedContainer, isWrapper: boolean): Fields | undefined {
  const { command, args, image } = entry.original;
  const areGenerated = equal(live.args, generatedFor(entry)?.args);
  if (!isWrapper) return { command: live.command, args: areGenerated ? args : live.args };
  if (areGenerated) return { command, args };
  const words = asStrings(live.args);
  if (words?.[0] !== END_OF_OPTIONS) return { command, args: live.args };
  // Still `--, …` after the wrapper, but not as generated: an edit of the generated list, which still begins with the
  // program; or the user's own args that happen to begin with `--`; or a record from elsewhere.
  const head = command ?? image?.entrypoint ?? [];
  if (equal(words.slice(1, 1 + head.length), head)) return { command, args: nonEmpty(words.slice(1 + head.length)) };
  return command === undefined || args?.[0] === END_OF_OPTIONS ? { command, args: live.args } : undefined;
}

/**
 * Without a record: the program and its args follow `--`; where command ended and args began is neither known nor
 * needed.
 */
function fromStructure(live: Fields, isWrapper: boolean): Fields & { readonly isUncertain: boolean } {
  const words = asStrings(live.args);
  const rest = words?.[0] === END_OF_OPTIONS ? words.slice(1) : undefined;
  if (isWrapper) {
    if (rest !== undefined && rest.length > 0) return { command: rest, args: undefined, isUncertain: false };
    return { command: undefined, args: rest === undefined ? live.args : undefined, isUncertain: true };
  }
  if (rest === undefined) return { ...live, isUncertain: false };
  // The command is the user's again (an apply sets it); the args may still be generated, and are if they repeat it.
  const command = asStrings(live.command) ?? [];
  const repeats = command.length > 0 && equal(rest.slice(0, command.length), command);
  return repeats
    ? { command: live.command, args: nonEmpty(rest.slice(command.length)), isUncertain: false }
    : { ...live, isUncertain: true };
}

function nonEmpty(list: readonly string[]): readonly string[] | undefined {
  return list.length > 0 ? list : undefined;
}
