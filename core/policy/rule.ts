/**
 * A rule is what a policy compiles to: every default filled in, durations checked, the injector's image decided.
 * Admission reads rules and nothing else. Plain data that never changes.
 */
import type { AuthDetail, AuthMethod } from '../auth-methods.ts';
import type { WorkloadKind } from '../kinds.ts';
import type { VaultInjectionPolicySpec as Spec } from './policy.generated.ts';

/** What to do about environment variables that come from another object. */
export type SourceMode = Spec['inject']['sources']['configMaps'];

/** What a policy may let annotations change. */
export type Override = NonNullable<NonNullable<Spec['overrides']>['allow']>[number];

export interface LabelRequirement {
  readonly key: string;
  readonly operator: NonNullable<NonNullable<Spec['selector']>['matchExpressions']>[number]['operator'];
  readonly values: readonly string[];
}

export interface FromPath {
  readonly path: string;
  /** KV version 2 only; undefined reads the newest. */
  readonly version?: number;
  readonly prefix: string;
  /** true: the value from Vault wins over a variable of the same name in the manifest. */
  readonly overwrite: boolean;
}

export interface ImageHint {
  /** Image name; * matches any run of characters. */
  readonly match: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

export interface CaRef {
  readonly kind: NonNullable<NonNullable<Spec['vault']['tls']>['caRef']>['kind'];
  readonly name: string;
  readonly key: string;
}

/** Fields that are not listed here are as in the policy, or empty if it leaves them out. */
export interface RuleVault extends Required<Omit<Spec['vault'], 'tls' | 'auth'>> {
  readonly tls: {
    /** PEM; '' if the system's roots or caRef apply. */
    readonly caBundle: string;
    readonly caRef?: CaRef;
    readonly serverName: string;
  };
  readonly auth: {
    readonly method: AuthMethod;
    readonly mountPath: string;
    /** '': the name of the pod's ServiceAccount; for AppRole and Certificate, none. */
    readonly role: string;
    /** Of the ServiceAccount token; '' is the API server's own audience, or that the method takes no token. */
    readonly audience: string;
    /** The API server accepts the token as well. */
    readonly isForAPIServer: boolean;
    readonly tokenExpirationSeconds: number;
    /** The Secret of AppRole and Certificate. */
    readonly secretRef?: { readonly name: string };
    /** Other fields of the method; only those that are set. */
    readonly details: { readonly [D in AuthDetail]?: NonNullable<Spec['vault']['auth'][D]> };
  };
}

/** Fields that are not listed here are as in the policy, or empty if it leaves them out. */
export interface RuleEnvironment extends Required<Omit<Spec['environment'], 'fromPaths' | 'transit'>> {
  readonly fromPaths: readonly FromPath[];
  /** With keyID '', ciphertexts cannot be decrypted. */
  readonly transit: Required<Spec['environment']['transit']>;
}

export interface RuleInjector {
  readonly image: string;
  readonly imagePullPolicy: NonNullable<Spec['injector']['imagePullPolicy']>;
  readonly delivery: Exclude<Spec['injector']['delivery'], 'Auto'>;
  /** The operator has chosen the delivery: a pod for which it is not made gets an init container. */
  readonly isAuto: boolean;
  /** Why an init container takes the place of the image volume that was asked for; undefined: none does. */
  readonly insteadBecause?: string;
  /** Undefined: they follow those of the pod. */
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly securityContext: { readonly runAsUser?: number; readonly runAsGroup?: number };
}

export interface Rule {
  readonly policy: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly generation: number;
    /** Milliseconds since the epoch: of two policies with the same priority the older one wins. */
    readonly createdAt: number;
  };
  /** When the policy's present spec was written, in milliseconds since the epoch: what ran before is a newcomer to it. */
  readonly since: number;
  readonly priority: number;
  readonly targets: readonly WorkloadKind[];
  readonly selector: {
    readonly matchLabels: Readonly<Record<string, string>>;
    readonly matchExpressions: readonly LabelRequirement[];
  };
  readonly when: Spec['inject']['when'];
  /** Container names; * matches any run of characters. */
  readonly containers: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  readonly initContainers: boolean;
  readonly probes: boolean;
  /** Whether containers that nothing else holds get a startup probe of ours. */
  readonly startupProbe: boolean;
  readonly sources: { readonly configMaps: SourceMode; readonly secrets: SourceMode };
  readonly vault: RuleVault;
  readonly environment: RuleEnvironment;
  /** If leaseEnd is undefined, vault-env applies its own default. */
  readonly process: Spec['process'];
  readonly injector: RuleInjector;
  readonly images: readonly ImageHint[];
  readonly overrides: { readonly allow: readonly Override[]; readonly roles: readonly string[] };
  readonly failurePolicy: Spec['failurePolicy'];
  /** What happens when this rule would inject a workload differently than it is injected now. */
  readonly rollout: Spec['rollout'];
  /** What happens when a secret has a newer version. */
  readonly rotation: {
    readonly strategy: Spec['rotation']['strategy'];
    readonly intervalMs: number;
    /** The name of an entry of the operator's setting vaultIdentities; '' for the one that is for this Vault. */
    readonly vault: string;
  };
  /** Short hash (hex) of everything in it that shapes the injected template; equal hashes inject equally. */
  readonly hash: string;
}

/**
 * What can be read of a policy that exists, is not suspended, and has no rule: it cannot be used, and no earlier
 * generation of it is known. It still governs what it selects: under Fail it is refused, under Ignore admitted as it
 * is.
 */
export interface UnusablePolicy extends Pick<Rule, 'policy' | 'priority' | 'targets' | 'selector' | 'failurePolicy'> {
  /** For users: what is wrong, and what to write instead. */
  readonly fault: string;
}

/** A policy that governs workloads. */
export type Governor = Rule | UnusablePolicy;

/** All rules. */
export interface Rules {
  /**
   * Returns the rules of a namespace, the winner first: by priority (high to low), then age (oldest first), then name.
   */
  rulesFor(namespace: string): readonly Rule[];
  /** Returns the policies of a namespace that govern without a rule, in the same order. */
  unusableFor(namespace: string): readonly UnusablePolicy[];
}

/** All rules at one moment: it never changes. */
export interface RuleSnapshot extends Rules {
  /** Increases by one with each change. */
  readonly version: number;
}
