/**
 * A rule is what a policy compiles to: every default filled in, durations checked, the injector's image decided.
 * Admission reads rules and nothing else. Plain data, never changed after it was made.
 */
import type { WorkloadKind } from '../kinds.ts';

/** What to do about environment that stands in another object. */
export type SourceMode = 'Read' | 'Ignore' | 'Assume';

export type Override = 'Role' | 'FromPaths' | 'IgnoreMissing' | 'Containers' | 'Mode' | 'LogLevel';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
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
  /** Image name with * as wildcard for any run of characters. */
  readonly match: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

/** Kubernetes and JWT log in with a token of the pod's ServiceAccount, AppRole and Certificate with what a Secret holds. */
export type AuthMethod = 'Kubernetes' | 'JWT' | 'AppRole' | 'Certificate' | 'AWS' | 'GCP' | 'Azure';

export interface CaRef {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly key: string;
}

export interface RuleVault {
  readonly address: string;
  readonly namespace: string;
  /** Go duration, such as 10s. */
  readonly timeout: string;
  readonly tls: {
    /** PEM; '' when the system's roots or caRef are meant. */
    readonly caBundle: string;
    readonly caRef?: CaRef;
    readonly serverName: string;
  };
  readonly auth: {
    readonly method: AuthMethod;
    readonly mountPath: string;
    /** '': the name of the pod's ServiceAccount; for AppRole and Certificate, none. */
    readonly role: string;
    /** Of the ServiceAccount token; '': the API server's own audience. */
    readonly audience: string;
    readonly tokenExpirationSeconds: number;
    /** The Secret of AppRole and Certificate. */
    readonly secretRef?: { readonly name: string };
    /** What else is written for one method, by the names that policy and vault-env share. */
    readonly details: {
      readonly secretIDWrapped?: true;
      readonly type?: 'IAM' | 'GCE';
      readonly region?: string;
      readonly headerValue?: string;
      readonly serviceAccount?: string;
      readonly resource?: string;
    };
  };
}

export interface RuleInjector {
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly delivery: 'InitContainer' | 'ImageVolume';
  readonly resources: {
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
    /** Milliseconds since the epoch: of two policies of the same priority the older one wins. */
    readonly createdAt: number;
  };
  readonly priority: number;
  readonly targets: readonly WorkloadKind[];
  readonly selector: {
    readonly matchLabels: Readonly<Record<string, string>>;
    readonly matchExpressions: readonly LabelRequirement[];
  };
  readonly when: 'References' | 'Annotation' | 'Always';
  /** Container names with * as wildcard. */
  readonly containers: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  readonly initContainers: boolean;
  readonly probes: boolean;
  readonly sources: { readonly configMaps: SourceMode; readonly secrets: SourceMode };
  readonly vault: RuleVault;
  readonly environment: {
    readonly fromPaths: readonly FromPath[];
    readonly ignoreMissing: boolean;
    readonly passthrough: readonly string[];
    readonly transit: {
      /** '' where ciphertexts cannot be decrypted. */
      readonly keyID: string;
      readonly mountPath: string;
      readonly batchSize: number;
    };
    /** Names of variables that fromPaths may set although they make programs run code. */
    readonly allowedNames: readonly string[];
    /** Path patterns with * as wildcard; empty: no bound. */
    readonly allowedPaths: readonly string[];
  };
  readonly process: {
    readonly mode: 'Exec' | 'Daemon';
    /** Undefined: as vault-env does it by itself. */
    readonly leaseEnd?: {
      readonly action: 'Restart' | 'Keep';
      readonly signal: string;
      /** Go duration. */
      readonly gracePeriod: string;
    };
    /** Go duration to wait before the program starts. */
    readonly delay: string;
    readonly revokeToken: boolean;
    readonly refuseExec: boolean;
    readonly log: {
      readonly level: 'Debug' | 'Info' | 'Warn' | 'Error';
      readonly format: 'Text' | 'JSON';
    };
  };
  readonly injector: RuleInjector;
  readonly images: readonly ImageHint[];
  readonly overrides: { readonly allow: readonly Override[]; readonly roles: readonly string[] };
  readonly failurePolicy: 'Ignore' | 'Fail';
  /** What happens when this rule would inject otherwise than a workload is injected. */
  readonly rollout: { readonly strategy: 'Manual' | 'Automatic'; readonly maxConcurrent: number };
  /** What happens when a secret has a newer version. */
  readonly rotation: { readonly strategy: 'None' | 'Restart'; readonly intervalMs: number };
  /** Short hash (hex) of everything in it that shapes the injected template; equal hashes inject equally. */
  readonly hash: string;
}

/** All rules at one moment. A snapshot never changes; the cache swaps it as a whole. */
export interface RuleSnapshot {
  /** Rises by one with each change. */
  readonly version: number;
  /** Rules of a namespace, the winning order first: priority (high to low), then older, then name. */
  rulesFor(namespace: string): readonly Rule[];
}
