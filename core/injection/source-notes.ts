/**
 * What the ConfigMaps and Secrets behind the environment decide, need and report, over all containers of a workload.
 *
 * An object that cannot be read now, or does not exist yet, never removes injection: a wrapped container stays wrapped
 * until the object can be read. An object that must not be read is reported once per workload and kind, and only if it
 * may be why nothing happened: no container is wrapped although the policy goes by references, or the workload asked to
 * be injected and the container is left alone.
 */
import type { Rule } from '../policy/rule.ts';
import type { Denial, Skipped } from './outcome.ts';
import type { SourcedEnvironment } from './sourced-environment.ts';
import { sourceName } from './sources.ts';
import type { SourceNeeds, SourceRef } from './sources.ts';

type Warn = (text: string) => void;

/** A container that may or may not refer to Vault, because an object cannot be read. */
export interface Untold {
  readonly name: string;
  readonly ref: SourceRef;
  readonly why: string;
}

interface Ignored {
  readonly container: string;
  readonly ref: SourceRef;
}

export class SourceNotes {
  readonly #wasWrapped: ReadonlySet<string>;
  readonly #warn: Warn;
  readonly #untold: Untold[] = [];
  readonly #unasked = new Map<string, SourceRef>();
  readonly #ignored: Ignored[] = [];

  /** @param wasWrapped names of containers that an earlier admission has wrapped */
  constructor(wasWrapped: ReadonlySet<string>, warn: Warn) {
    this.#wasWrapped = wasWrapped;
    this.#warn = warn;
  }

  get untold(): readonly Untold[] {
    return this.#untold;
  }

  /** Undefined if no object needs to be read. */
  get needs(): SourceNeeds | undefined {
    return this.#unasked.size === 0 ? undefined : { objects: [...this.#unasked.values()] };
  }

  /** Call it for each container that the policy includes. */
  note({ unasked }: SourcedEnvironment): void {
    for (const ref of unasked) this.#unasked.set(sourceName(ref), ref);
  }

  /** Whether a container that nothing else selects is wrapped because of its objects. */
  selects(name: string, { isAssumed, ignored, unasked, unreadable, absent }: SourcedEnvironment): boolean {
    if (isAssumed) return true;
    const [failed] = unreadable;
    const isOpen = unasked.length > 0 || failed !== undefined || absent.length > 0;
    if (isOpen && this.#wasWrapped.has(name)) {
      if (failed) this.#warn(`container ${name} stays wrapped; ${sourceName(failed.ref)}: ${failed.why}`);
      return true;
    }
    if (failed !== undefined) this.#untold.push({ name, ...failed });
    else if (absent.length > 0) {
      this.#warn(
        `container ${name}: ${listed(absent)} does not exist yet; the operator looks for references when it does`,
      );
    }
    this.#ignored.push(...ignored.map((ref) => ({ container: name, ref })));
    return false;
  }

  /** Warns about objects of a container that is wrapped anyway: what they may refer to is not known. */
  warnOfOpen(name: string, { unreadable, absent }: SourcedEnvironment): void {
    // What an earlier admission has permitted stays.
    if (this.#wasWrapped.has(name)) return;
    const [failed] = unreadable;
    const [missing] = absent;
    if (failed !== undefined) {
      this.#warn(`container ${name}: references in ${sourceName(failed.ref)} stay text, as it cannot be read`);
      this.#warn(`${sourceName(failed.ref)}: ${failed.why}`);
    } else if (missing !== undefined) {
      this.#warn(`container ${name}: apply it again when ${missing} exists, or references in it stay text`);
    }
  }

  /** Warns about the objects that nobody has read. */
  warnOfIgnored(): void {
    for (const kind of ['ConfigMap', 'Secret'] as const) {
      const [first, ...others] = this.#ignored.filter(({ ref }) => ref.kind === kind);
      if (first === undefined) continue;
      const more = others.length > 0 ? ` and ${others.length} more` : '';
      const field = kind === 'ConfigMap' ? 'configMaps' : 'secrets';
      const object = `${sourceName(first.ref)}${more}`;
      this.#warn(`env of container ${first.container} from ${object} is not read (inject.sources.${field}: Ignore)`);
    }
  }
}

function listed([first = '', ...others]: readonly string[]): string {
  return others.length > 0 ? `${first} (and ${others.length} more)` : first;
}

/** Unless the policy ignores failures, a container that may have to be wrapped is not admitted as it is. */
export function deniedSource([first, ...others]: readonly Untold[], { failurePolicy }: Rule): Denial | undefined {
  if (failurePolicy !== 'Fail' || first === undefined) return undefined;
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  return { reason: 'SourceUnreadable', message: `${untoldText(first)}: ${first.why}${more}` };
}

/** For the result of an admission, if the policy ignores failures. */
export function skippedSource(untold: Untold): Skipped {
  const message = `${untoldText(untold)}: ${untold.why}`;
  return { name: untold.name, reason: 'SourceUnreadable', message };
}

/** In two lines, because a warning is cut at 120 characters. */
export function warnOfSource(untold: Untold, warn: Warn): void {
  warn(`not injected: ${untoldText(untold)}`);
  warn(`${sourceName(untold.ref)}: ${untold.why}`);
}

function untoldText({ name, ref }: Untold): string {
  return `container ${name} has env from ${sourceName(ref)}, which cannot be read`;
}
