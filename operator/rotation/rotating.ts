import { listed, shortened } from '../../core/shown.ts';
import { isTrue, type Statement } from '../policies/conditions.ts';
import type { MetadataAnswer, VaultFailure } from '../vault/metadata-port.ts';

export interface RotatingFacts {
  readonly intervalMs: number;
  readonly failure: VaultFailure | undefined;
  /** The last answer for each path that can be watched, by metadata path; undefined: none yet. */
  readonly answers: ReadonlyMap<string, MetadataAnswer | undefined>;
  /** Paths that workloads read but that have no versions. */
  readonly unwatchable: readonly string[];
}

const FAILURES: Readonly<Record<VaultFailure['kind'], Pick<Statement, 'status' | 'reason'>>> = {
  Away: { status: 'Unknown', reason: 'RotationVaultAway' },
  LoginRefused: { status: 'False', reason: 'RotationLoginRefused' },
  NoToken: { status: 'False', reason: 'RotationTokenRefused' },
};

/** Returns whether new versions would be noticed, and for which paths they would not. */
export function rotatingOf({ intervalMs, failure, answers, unwatchable }: RotatingFacts): Statement {
  if (failure !== undefined) {
    return { ...FAILURES[failure.kind], message: `${failure.message}; until this is fixed, nothing is restarted` };
  }
  const known = [...answers.values()].filter((answer) => answer !== undefined);
  const others = without(unwatchable);
  if (answers.size === 0) return isTrue('RotationIdle', `no injected workload reads a secret with versions${others}`);
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

function without(unwatchable: readonly string[]): string {
  return unwatchable.length === 0 ? '' : `; without versions: ${named(unwatchable)}`;
}

function named(paths: readonly string[]): string {
  return listed(paths.toSorted().map(shortened));
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
