/**
 * The interface between workloads and rotation: what injected workloads read, and which of them should restart for it.
 */
import type { Rule } from '../policy/rule.ts';

/** An injected workload, and what it reads. */
export interface Use {
  /** As workloadKey() makes it. */
  readonly key: string;
  /** Paths of secrets without a pinned version, as its references name them. */
  readonly reads: readonly string[];
  /** Those of `reads` that only ConfigMaps name; left out if there are none. */
  readonly hiddenReads?: readonly string[];
  /** An object that cannot be read now may name more paths: what is known of them stays. */
  readonly isPartial?: true;
  /** Those of them that pods of the workload have started with: nothing is made known of any other. */
  readonly startedWith: readonly string[];
  /** Of the workload's metadata, those of vaultinjection.dev. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What rotation wants a workload to do. */
export interface RestartWish {
  /** As workloadKey() makes it. */
  readonly key: string;
  /** By the path, as nameOfRead() names it: the version that its pods should start with. */
  readonly versions: Readonly<Record<string, number>>;
  /** Of `versions`: 12 hexadecimal digits. */
  readonly hash: string;
  /** Its pods are assumed to have these versions already: only record them. */
  readonly baselineOnly: boolean;
}

/** Looks for newer versions of what workloads read. */
export interface RestartWishes {
  /** Sets all injected workloads of a policy (`namespace/name`); without a rule, there are none any more. */
  want(policyKey: string, rule: Rule | undefined, uses: readonly Use[]): void;
  wishesOf(policyKey: string): readonly RestartWish[];
  /** Calls `listener` with each policy whose wishes have changed. */
  onChange(listener: (policyKey: string) => void): void;
}
