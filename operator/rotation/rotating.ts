import { listed, shortened } from '../../core/shown.ts';
import { isTrue, type Statement } from '../policies/conditions.ts';
import type { MetadataAnswer, VaultFailure } from '../vault/metadata-port.ts';

export interface RotatingFacts {
  /** The name of the identity. */
  readonly entry: string;
  readonly intervalMs: number;
  readonly failure: VaultFailure | undefined;
  /** The last answer for each path that can be watched, by metadata path; undefined: none yet. */
  readonly answers: ReadonlyMap<string, MetadataAnswer | undefined>;
  /** Paths that workloads read but that have no versions. */
  readonly unwatchable: readonly string[];
  /** Which of all these paths only ConfigMaps name: they are counted. */
  readonly isHidden?: (path: string) => boolean;
  /** Paths that workloads read but that the identity does not allow. */
  readonly outside: readonly string[];
  /** How many paths more than are watched for one policy. */
  readonly omitted: number;
  /** How many workloads have no pods that have started. */
  readonly waiting: number;
}

const FAILURES: Readonly<Record<VaultFailure['kind'], Pick<Statement, 'status' | 'reason'>>> = {
  Away: { status: 'Unknown', reason: 'RotationVaultAway' },
  LoginRefused: { status: 'False', reason: 'RotationLoginRefused' },
  NoToken: { status: 'False', reason: 'RotationTokenRefused' },
};

/** Returns whether new versions would be noticed, and for which paths they would not. */
export function rotatingOf(facts: RotatingFacts): Statement {
  const { entry, intervalMs, failure, answers, outside, omitted, isHidden = () => false } = facts;
  const named = (paths: readonly string[]): string => namedPaths(paths, isHidden);
  if (failure !== undefined) {
    return { ...FAILURES[failure.kind], message: `${failure.message}; until this is fixed, nothing is restarted` };
  }
  const known = [...answers.values()].filter((answer) => answer !== undefined);
  const others = without(facts, named);
  if (outside.length > 0) {
    const count = counted(outside.length, 'path');
    const message = `the entry ${entry} of the operator's setting vaultIdentities does not allow ${count}: ${named(outside)}${others}`;
    return { status: 'False', reason: 'RotationPathNotAllowed', message };
  }
  if (omitted > 0) {
    const message = `the workloads of the policy read ${counted(answers.size + omitted, 'secret')} with versions, and ${answers.size} are watched${others}`;
    return { status: 'False', reason: 'RotationTooManyPaths', message };
  }
  if (answers.size === 0) {
    return isTrue(
      'RotationIdle',
      `no injected workload with pods that have started reads a secret with versions${others}`,
    );
  }
  if (known.length === 0) {
    return { status: 'Unknown', reason: 'RotationPending', message: 'Vault has not been checked yet' };
  }
  const of = (kind: MetadataAnswer['kind']): string[] =>
    [...answers].filter(([, answer]) => answer?.kind === kind).map(([path]) => path);
  const forbidden = of('Forbidden');
  if (forbidden.length > 0) {
    const message = `the operator's role may not read ${named(forbidden)}; grant it the capability "read" there${others}`;
    return { status: 'False', reason: 'RotationPathForbidden', message };
  }
  const unexpected = of('Unexpected');
  if (unexpected.length > 0) {
    const message = `Vault answers for ${named(unexpected)}, but not with versions${others}`;
    return { status: 'False', reason: 'RotationAnswerUnexpected', message };
  }
  const missing = of('Missing');
  const watched = `${counted(answers.size - missing.length, 'secret')} checked every ${intervalMs / 1000} s`;
  const absent = missing.length === 0 ? '' : `; no such KV version 2 secret: ${named(missing)}`;
  return isTrue('RotationActive', `${watched}${absent}${others}`);
}

/** Names paths to readers of the policy, who need not be able to read ConfigMaps. */
function namedPaths(paths: readonly string[], isHidden: (path: string) => boolean): string {
  const shown = paths.filter((path) => !isHidden(path));
  const hidden = paths.length - shown.length;
  const rest = hidden === 0 ? [] : [`${counted(hidden, 'path')} in ConfigMaps`];
  return [...(shown.length === 0 ? [] : [listed(shown.toSorted().map(shortened))]), ...rest].join(', and ');
}

function without({ unwatchable, waiting }: RotatingFacts, named: (paths: readonly string[]) => string): string {
  const none = unwatchable.length === 0 ? '' : `; without versions: ${named(unwatchable)}`;
  return waiting === 0
    ? none
    : `${none}; not checked for ${counted(waiting, 'workload')} without pods that have started`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
