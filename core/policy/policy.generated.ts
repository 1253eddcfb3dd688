// Generated from crds/vaultinjectionpolicies.yaml by build/generate/policy-types.ts. Do not edit.
import type { KubernetesObject, ObjectMeta } from '../../core/object.ts';

/**
 * VaultInjectionPolicy decides which workloads of its namespace get secrets from Vault in the
 * environment of their programs, from which Vault, in which role, and what annotations of the
 * workloads may change.
 */
export interface VaultInjectionPolicy extends KubernetesObject {
  readonly metadata: ObjectMeta & { readonly namespace: string };
  readonly spec: VaultInjectionPolicySpec;
  readonly status?: VaultInjectionPolicyStatus;
}

/** What the policy asks for. Only vault.address is required. */
export interface VaultInjectionPolicySpec {
  /**
   * true suspends the policy without deleting it: the next change of a workload restores its
   * own template.
   */
  readonly suspend: boolean;
  /**
   * If several policies match a workload, the one with the highest priority wins, then the
   * oldest, then the first by name.
   */
  readonly priority: number;
  /**
   * The kinds of objects that the policy is for. What a controller makes from the template of
   * another kind in this list is injected there, as are the Jobs of a CronJob. ReplicaSets and
   * ReplicationControllers that have an owner are never injected themselves. Pod is for those
   * that are made from no template of another kind in this list: bare pods, and those of other
   * operators. A kind that the operator's setting templates adds is Kind.group, such as
   * Rollout.argoproj.io.
   */
  readonly targets: readonly string[];
  /**
   * Selects workloads of the namespace by their own labels (not those of their pods). Empty
   * selects all.
   */
  readonly selector?: {
    /** Labels that the workload must have, with these values. */
    readonly matchLabels?: Readonly<Record<string, string>>;
    /** Requirements on the workload's labels, all of which must hold. */
    readonly matchExpressions?: readonly {
      /** Name of the label. */
      readonly key: string;
      /** How the label is compared with the values. */
      readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
      /** Values for In and NotIn; left out for Exists and DoesNotExist. */
      readonly values?: readonly string[];
    }[];
  };
  /** What is injected into the selected workloads. */
  readonly inject: {
    /**
     * References wraps the containers whose environment refers to Vault (all selected containers
     * if environment.fromPaths is set). Annotation does the same, but only for workloads with the
     * annotation vaultinjection.dev/inject: "true". Always wraps every selected container. The
     * annotation vaultinjection.dev/inject: "false" excludes a workload in each case.
     */
    readonly when: 'References' | 'Annotation' | 'Always';
    /** Which containers may be wrapped, by name. */
    readonly containers: {
      /** Names of containers; * matches any number of characters. */
      readonly include: readonly string[];
      /**
       * Names of containers that are not wrapped, even if included; * matches any number of
       * characters.
       */
      readonly exclude?: readonly string[];
    };
    /** Whether the workload's init containers and native sidecars are wrapped as well. */
    readonly initContainers: boolean;
    /**
     * Whether exec probes and lifecycle exec hooks of wrapped containers are wrapped as well.
     * Each run of a probe then logs in to Vault.
     */
    readonly probes: boolean;
    /**
     * Whether wrapped containers with neither a startup nor a readiness probe get a startup probe
     * that succeeds once their program runs. Without it, such a container counts as ready while
     * vault-env is still asking Vault, so a rolling update goes on although the new pods fail.
     */
    readonly startupProbe: boolean;
    /**
     * How to treat variables that come from another object (envFrom and valueFrom), which may
     * contain references to Vault as well. Read looks into the object, when the workload or the
     * policy changes, and permits these references. Ignore does not: references in the object
     * stay text, and it warns if that leaves a container unwrapped. Assume wraps the container
     * without looking, and permits whatever the object contains.
     */
    readonly sources: {
      /** For ConfigMaps, which the operator may read in all namespaces. */
      readonly configMaps: 'Read' | 'Ignore' | 'Assume';
      /**
       * For Secrets. Read needs a Role in the namespace of the workloads that allows the operator
       * to get the Secrets; otherwise the operator may not read Secrets.
       */
      readonly secrets: 'Read' | 'Ignore' | 'Assume';
    };
  };
  /** Which Vault, and how the pods log in to it. */
  readonly vault: {
    /**
     * Address of Vault as the pods reach it, such as https://vault.vault.svc:8200: http or https,
     * host, optional port and path.
     */
    readonly address: string;
    /**
     * true agrees to an address that begins with http://: the pods' tokens and secrets then
     * travel unencrypted, so that everybody on the way between pods and Vault can read and change
     * them. The status of the policy says so.
     */
    readonly allowPlaintext?: boolean;
    /** Vault (or OpenBao) namespace, such as admin/team-a; empty is the root namespace. */
    readonly namespace?: string;
    /**
     * How long vault-env may take for the login and all reads, including retries, before it gives
     * up: 1s to 5m.
     */
    readonly timeout: string;
    /**
     * Proxy through which pods reach Vault and, for the login, the services of AWS, Google Cloud
     * and Azure, such as http://proxy.example.com:3128. The variables HTTPS_PROXY, HTTP_PROXY and
     * NO_PROXY of the container are for its program only. The operator's own checks of Vault do
     * not use it.
     */
    readonly proxyURL?: string;
    /** How Vault's certificate is verified. Verification cannot be switched off. */
    readonly tls?: {
      /**
       * CA certificates in PEM format. Without caBundle and caRef, the CA certificates of the
       * container's image are used.
       */
      readonly caBundle?: string;
      /**
       * A ConfigMap or Secret in the workload's namespace with the CA certificates. It is mounted
       * into wrapped containers.
       */
      readonly caRef?: {
        /** The kind of the object. */
        readonly kind: 'ConfigMap' | 'Secret';
        /** The name of the object. */
        readonly name: string;
        /** The key of the object that holds the certificates in PEM format. */
        readonly key: string;
      };
      /** The name to expect in Vault's certificate, if it is not the host of the address. */
      readonly serverName?: string;
    };
    /** How pods log in; by default, each with a projected token of its own ServiceAccount. */
    readonly auth: {
      /**
       * The auth method. Kubernetes and JWT use a token of the pod's ServiceAccount, which Vault
       * verifies with the cluster or by its signature; AppRole and Certificate use what a Secret
       * holds; AWS, GCP and Azure use the identity that the cloud gives the pod.
       */
      readonly method: 'Kubernetes' | 'JWT' | 'AppRole' | 'Certificate' | 'AWS' | 'GCP' | 'Azure';
      /**
       * The mount path of the auth method in Vault, without the leading auth/. Default: kubernetes,
       * jwt, approle, cert, aws, gcp or azure, depending on the method.
       */
      readonly mountPath?: string;
      /**
       * The role to log in as. Empty means the name of the pod's ServiceAccount; for the method
       * Certificate, any role that trusts the certificate. With AppRole, the role-id determines the
       * role.
       */
      readonly role?: string;
      /**
       * Audience of the ServiceAccount token, as the Vault role expects it (Kubernetes, JWT). If it
       * is left out, the operator's setting tokenAudience decides, which is vault by default. An
       * empty text means the API server's own audience, so that anybody who sees the token can use
       * it there as well; then pods that opted out of such tokens are not injected.
       */
      readonly audience?: string;
      /**
       * Lifetime of the projected token (Kubernetes, JWT): 10m (the API server's minimum) to 24h.
       * The kubelet renews it in time, so restarts of the container work as well.
       */
      readonly tokenExpiration: string;
      /**
       * A Secret in the workload's namespace with the credentials of the pods. It is mounted into
       * wrapped containers. AppRole uses the keys role-id and secret-id, Certificate uses tls.crt
       * and tls.key.
       */
      readonly secretRef?: {
        /** The name of the Secret. */
        readonly name: string;
      };
      /**
       * true means that secret-id holds a response-wrapping token (AppRole). It is valid for one
       * login: the next start of a container needs a new one in the Secret.
       */
      readonly secretIDWrapped?: boolean;
      /**
       * The type of the method (AWS, GCP). IAM, the default, is for pods with an identity of their
       * own; GCE logs in as the instance that the pod runs on.
       */
      readonly type?: 'IAM' | 'GCE';
      /**
       * Region of the STS endpoint that the login is signed for (AWS), such as eu-west-1. Empty
       * means the global endpoint.
       */
      readonly region?: string;
      /**
       * Value of the header X-Vault-AWS-IAM-Server-ID (AWS), if the method in Vault requires one
       * (iam_server_id_header_value).
       */
      readonly headerValue?: string;
      /** E-mail address of the Google Cloud service account (GCP). Empty means the pod's own. */
      readonly serviceAccount?: string;
      /**
       * The resource that the Microsoft Entra ID token is requested for (Azure), as configured for
       * the method in Vault. Empty means https://management.azure.com/.
       */
      readonly resource?: string;
    };
  };
  /** What ends up in the environment of wrapped programs. */
  readonly environment: {
    /** Secrets whose keys all become variables, in this order. */
    readonly fromPaths?: readonly {
      /**
       * Path as in the API of Vault, such as secret/data/shop/app for a KV version 2 engine mounted
       * at secret/.
       */
      readonly path: string;
      /** Version of the secret (KV version 2 only). By default, the latest version is read. */
      readonly version?: number;
      /**
       * Prefix of the variables, used as written: with SHOP_, the key password becomes
       * SHOP_password.
       */
      readonly prefix?: string;
      /**
       * true means that a key takes precedence over a variable of the same name in the workload's
       * manifest.
       */
      readonly overwrite: boolean;
    }[];
    /**
     * true starts the program although Vault has nothing at a path that it refers to; the
     * variable is not set. A missing key of an existing secret, a denied path, a KV version 2
     * path without data/ and a path where nothing is mounted still fail.
     */
    readonly ignoreMissing: boolean;
    /**
     * VAULT_* variables that fromPaths may set; other keys with such names are skipped with a
     * warning. Variables that the container sets itself always stay.
     */
    readonly passthrough?: readonly string[];
    /**
     * Variables whose values are text, even if they look like references: neither admission nor
     * vault-env reads them, and no escape is removed from them. * matches any number of
     * characters.
     */
    readonly literals?: readonly string[];
    /** How ciphertexts of the transit engine (vault:v1:…) are decrypted. */
    readonly transit: {
      /**
       * The name of the transit key. If it is empty, a program that refers to a ciphertext is not
       * started.
       */
      readonly keyID?: string;
      /** The mount path of the transit engine in Vault. */
      readonly mountPath: string;
      /** The maximum number of ciphertexts in one request. */
      readonly batchSize: number;
    };
    /**
     * Variables that fromPaths may set although they can make a program load or run other code,
     * such as PATH, LD_PRELOAD and NODE_OPTIONS. Such variables that are not listed are skipped
     * with a warning.
     */
    readonly allowedNames?: readonly string[];
    /**
     * If set, references that read other paths are refused, at admission and again by vault-env.
     * * matches any number of characters, including slashes. What may be written is up to writes.
     */
    readonly allowedPaths?: readonly string[];
    /**
     * Paths that references may write to (>>vault:PATH#KEY), with * for any number of characters,
     * including slashes. References to other paths are refused, at admission and again by
     * vault-env. By default, nothing may be written. allowedPaths is about what is read, and does
     * not count here.
     */
    readonly writes?: readonly string[];
  };
  /** How the program is started, and what vault-env does afterwards. */
  readonly process: {
    /**
     * Exec: vault-env replaces itself with the program. Daemon: vault-env stays as the program's
     * parent, renews the leases of dynamic secrets, forwards signals and exits with the program's
     * status.
     */
    readonly mode: 'Exec' | 'Daemon';
    /**
     * What mode Daemon does when a lease can no longer be renewed. Defaults to the action
     * Restart.
     */
    readonly leaseEnd?: {
      /**
       * Restart ends the program, so that the kubelet restarts the container with new secrets. Keep
       * lets the program continue.
       */
      readonly action: 'Restart' | 'Keep';
      /** The signal that ends the program, such as SIGTERM, SIGINT, SIGQUIT or SIGRTMIN+3. */
      readonly signal: string;
      /** How long the program has after the signal, up to 10m, before it is killed. */
      readonly gracePeriod: string;
    };
    /**
     * How long vault-env waits between reading the secrets and starting the program, up to 10m,
     * for example for a sidecar that must be ready first.
     */
    readonly delay: string;
    /**
     * Whether vault-env revokes the token that it logged in for. In mode Exec it does so before
     * the program starts, unless a lease depends on the token or the program gets it
     * (vault:login); in mode Daemon when the program has ended, together with all leases.
     */
    readonly revokeToken: boolean;
    /**
     * true makes vault-env read secrets only for the first process of a container, not for one
     * started by kubectl exec. This guards against accidents only: anyone who may exec into a
     * container has other ways to its secrets.
     */
    readonly refuseExec: boolean;
    /**
     * What vault-env writes to standard error. It never contains a secret, a token or an argument
     * of the program.
     */
    readonly log: {
      /** The least severe level that is written. */
      readonly level: 'Debug' | 'Info' | 'Warn' | 'Error';
      /** Text for people, JSON for machines. */
      readonly format: 'Text' | 'JSON';
    };
  };
  /** Where vault-env comes from, and the resources of its init container. */
  readonly injector: {
    /** Image that contains vault-env. Empty means the image that the operator is configured with. */
    readonly image?: string;
    /** When the image is pulled. Defaults to the operator's own setting. */
    readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
    /**
     * How vault-env gets into the pod: an init container copies it into memory, or the image is
     * mounted as a volume, which needs no resources (Kubernetes 1.36 or newer, on nodes that
     * support it). Auto is ImageVolume where all nodes have Kubernetes 1.37 and containerd 2.1 or
     * newer, else InitContainer; status.injector says which. Pods with a runtime class or a user
     * namespace of their own get the init container, and what is injected already keeps what it
     * has until the policy changes.
     */
    readonly delivery: 'Auto' | 'InitContainer' | 'ImageVolume';
    /**
     * Resources of the init container. By default they are those of the pod's container with the
     * most memory, so that quotas, limit ranges and the QoS class of the pod treat it like that
     * one; only a memory limit below 32Mi is raised to that.
     */
    readonly resources?: {
      /** Requests of the init container: cpu, memory, ephemeral-storage. */
      readonly requests?: Readonly<Record<string, number | string>>;
      /** Limits of the init container: cpu, memory, ephemeral-storage. */
      readonly limits?: Readonly<Record<string, number | string>>;
    };
    /**
     * User and group of the init container. By default it runs as the pod does, or as 65532 if
     * the pod runs as root.
     */
    readonly securityContext?: {
      /** User ID, not 0. */
      readonly runAsUser?: number;
      /** Group ID. */
      readonly runAsGroup?: number;
    };
  };
  /**
   * Entry points of images, for containers without a command. The first entry that matches is
   * used.
   */
  readonly images?: readonly {
    /** The image as written in the manifest, such as redis:*; * matches any number of characters. */
    readonly match: string;
    /** The image's ENTRYPOINT. */
    readonly entrypoint?: readonly string[];
    /** The image's CMD, used if the container has no args. */
    readonly cmd?: readonly string[];
  }[];
  /** What annotations of a workload may change: only what is listed here. */
  readonly overrides?: {
    /** The annotations that are honored, such as Role for vaultinjection.dev/role. */
    readonly allow?: readonly ('Role' | 'FromPaths' | 'IgnoreMissing' | 'Containers' | 'Mode' | 'LogLevel')[];
    /**
     * Roles that an annotation may choose; * matches any number of characters. Empty allows every
     * role.
     */
    readonly roles?: readonly string[];
  };
  /**
   * What happens to workloads whose injection is outdated because the policy was changed or the
   * injector was upgraded, and to those that ran without injection before the policy. A
   * workload without a pod that works is brought up to date at once.
   */
  readonly rollout: {
    /**
     * Manual lists them and does not touch them; kubectl annotate deployment NAME
     * vaultinjection.dev/apply=now rolls out one, and so does any other change of it. Automatic
     * rolls them out, a few at a time, waits until each is available, and stops when one fails.
     * Paused Deployments, and StatefulSets and DaemonSets with the update strategy OnDelete, are
     * not touched. CronJobs are brought up to date at once, because no pod is replaced; Jobs and
     * pods stay as they are.
     */
    readonly strategy: 'Manual' | 'Automatic';
    /**
     * How many workloads of the policy may roll out at the same time; this includes restarts
     * after a rotation. One counts until its new pods have been available without a break for
     * vault.timeout, process.delay and 5 s.
     */
    readonly maxConcurrent: number;
  };
  /** What happens when a secret gets a new version in Vault. */
  readonly rotation: {
    /**
     * None leaves the pods with what they read when they started. Restart restarts the workloads
     * that read the latest version of a KV version 2 path when there is a newer one. The operator
     * reads only the metadata of these paths, never the secrets, as itself, and only where its
     * setting vaultIdentities allows.
     */
    readonly strategy: 'None' | 'Restart';
    /**
     * How often the versions are checked; if policies share a path, the shortest interval
     * applies.
     */
    readonly interval: string;
    /**
     * The entry of the operator's setting vaultIdentities that says how the operator logs in, and
     * which paths it may look at. It must be for the Vault of vault.address and vault.namespace.
     * If empty, it is the entry for that Vault; name one if there are several.
     */
    readonly vault: string;
  };
  /**
   * What happens to a workload of this policy that cannot be injected, because the operator is
   * unavailable or the workload is invalid. Ignore admits it unchanged, with a warning if the
   * operator is available; its programs then see the references themselves. Fail refuses the
   * change with a message, so that nothing starts without its secrets. Pods and scaling are
   * never blocked.
   */
  readonly failurePolicy: 'Ignore' | 'Fail';
}

/** What the operator reports about the policy. */
export interface VaultInjectionPolicyStatus {
  /** The generation of the policy that the status is about. */
  readonly observedGeneration?: number;
  /** The reason of the condition Stalled while it is True, else that of Ready. */
  readonly reason?: string;
  /**
   * The condition VaultReachable in one word: OK, Standby, Sealed, NotInitialized, TLSFailed,
   * CAUnusable, Timeout, NameUnknown, Unreachable, Unexpected or NotChecked.
   */
  readonly vault?: string;
  /** How vault-env gets into new pods. */
  readonly injector?: {
    /** InitContainer or ImageVolume. */
    readonly delivery: string;
    /** Why, as a sentence. */
    readonly message: string;
  };
  /**
   * How many workloads this policy applies to, and their state. matched is the sum of those in
   * each state.
   */
  readonly workloads?: {
    /** Workloads that this policy applies to. */
    readonly matched: number;
    /** Injected as the policy currently says. */
    readonly injected: number;
    /** Injected, but admission would change the template today. */
    readonly outdated: number;
    /**
     * At least one container that should be injected is not: stored while the webhook was
     * unavailable, or older than the policy.
     */
    readonly missed: number;
    /** Admission would refuse the workload as it is stored. */
    readonly denied: number;
    /** A container cannot be injected and is left unchanged. */
    readonly failed: number;
    /** Excluded by an annotation, or without a reference to Vault. */
    readonly excluded: number;
    /** The sum of missed, failed and denied. */
    readonly problems?: number;
    /** Workloads that this policy and another one match, whichever of them applies. */
    readonly conflicts?: number;
    /**
     * The same by kind, of each kind that this policy applies to a workload of. Pods are not
     * here: they are counted when they are created (pods).
     */
    readonly kinds?: readonly {
      /** The kind. */
      readonly kind: string;
      /** As in workloads, of this kind. */
      readonly matched: number;
      /** As in workloads, of this kind. */
      readonly injected: number;
      /** As in workloads, of this kind. */
      readonly outdated: number;
      /** As in workloads, of this kind. */
      readonly missed: number;
      /** As in workloads, of this kind. */
      readonly denied: number;
      /** As in workloads, of this kind. */
      readonly failed: number;
      /** As in workloads, of this kind. */
      readonly excluded: number;
    }[];
  };
  /**
   * Workloads that refer to Vault and that this policy would apply to, if it named their kind
   * in targets: no policy of the namespace does, so their programs get the text of the
   * references. By kind, of the kinds that the operator watches. It changes no condition.
   */
  readonly uncovered?: readonly {
    /** The kind. */
    readonly kind: string;
    /** How many there are. */
    readonly count: number;
    /** The name of one of them. */
    readonly example: string;
    /** What that means and what to do, as a sentence. */
    readonly message: string;
  }[];
  /**
   * Creations of pods that were reviewed because of this policy since it has been counted, if
   * targets names Pod. It counts what API servers asked for, not pods that run: also those that
   * something else refused afterwards, and again what an API server asks twice because an
   * answer was lost. Each replica of the operator counts, and tells every ten seconds; the
   * leader adds up, at most every thirty seconds. What a replica counted in its last ten
   * seconds is lost if it is killed, and so the sums are what there was at least. Neither a
   * restart nor another leader counts anything twice.
   */
  readonly pods?: {
    /** Injected. */
    readonly injected: number;
    /** Refused. */
    readonly denied: number;
    /** Created with a container that could not be injected. */
    readonly failed: number;
    /** Created as they were, because they are excluded or do not refer to Vault. */
    readonly unchanged: number;
    /** When the first one was reviewed. */
    readonly since: string;
    /** When the last one was reviewed, as far as it has been told. */
    readonly lastTime: string;
    /**
     * For the operator: what of each process is in the sums, as ID
     * INJECTED/DENIED/FAILED/UNCHANGED, so that nothing is added twice.
     */
    readonly counted?: readonly string[];
  };
  /** When a workload of the policy was last injected. */
  readonly lastAppliedTime?: string;
  /** The last workload that admission refused because of this policy. */
  readonly lastDenial?: {
    /** When it was refused. */
    readonly time: string;
    /** Kind of the workload. */
    readonly kind: string;
    /** Name of the workload. */
    readonly name: string;
    /** The cause as one word, for machines. */
    readonly reason: string;
    /** The cause as a sentence, for people. */
    readonly message: string;
  };
  /** Workloads that need attention, the most urgent first. */
  readonly attention?: readonly {
    /** Kind of the workload. */
    readonly kind: string;
    /** Name of the workload. */
    readonly name: string;
    /** Its state, as in workloads. */
    readonly state: 'Injected' | 'Outdated' | 'Missed' | 'Denied' | 'Failed' | 'Excluded';
    /** The cause as one word, for machines. */
    readonly reason: string;
    /** The cause as a sentence, for people. */
    readonly message: string;
    /** When it was first seen in this state for this reason. */
    readonly since?: string;
  }[];
  /** How many more workloads need attention than are listed. */
  readonly attentionOmitted?: number;
  /** Other policies that match some of the same workloads. */
  readonly conflicts?: readonly {
    /** Name of the other policy. */
    readonly policy: string;
    /** Whether this policy, not the other one, applies to these workloads. */
    readonly wins: boolean;
    /** How many workloads both policies match. */
    readonly workloads: number;
    /** One of them, as Kind/name. */
    readonly example: string;
  }[];
  /**
   * Accepted (the policy is valid), Programmed (admission uses it), WebhookReachable (API
   * servers reach the webhook), VaultReachable (informational), CertificateReady and Ready (the
   * summary); Rotating (informational) if rotation.strategy is Restart; CRDOutdated,
   * Reconciling and Stalled while they are true. Stalled is also set when a repair was undone
   * repeatedly or a rollout has failed, while Ready says that the policy is in force.
   */
  readonly conditions?: readonly Condition[];
}

/** One statement about the policy. */
export interface Condition {
  /** What the statement is about. */
  readonly type: string;
  /** Whether it holds. */
  readonly status: 'True' | 'False' | 'Unknown';
  /** The generation of the policy that the statement is about. */
  readonly observedGeneration?: number;
  /** When the status last changed. */
  readonly lastTransitionTime: string;
  /** The cause as one word, for machines. */
  readonly reason: string;
  /** The cause as a sentence, for people. */
  readonly message: string;
}

/** What the fields of a policy's spec hold where its author leaves them out. */
export const DEFAULTS = {
  suspend: false,
  priority: 0,
  targets: ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job'],
  inject: {
    when: 'References',
    containers: { include: ['*'] },
    initContainers: true,
    probes: false,
    startupProbe: true,
    sources: { configMaps: 'Read', secrets: 'Ignore' },
  },
  vault: { timeout: '10s', tls: { caRef: { key: 'ca.crt' } }, auth: { method: 'Kubernetes', tokenExpiration: '10m' } },
  environment: {
    fromPaths: { overwrite: false },
    ignoreMissing: false,
    transit: { mountPath: 'transit', batchSize: 25 },
  },
  process: {
    mode: 'Exec',
    leaseEnd: { action: 'Restart', signal: 'SIGTERM', gracePeriod: '10s' },
    delay: '0s',
    revokeToken: true,
    refuseExec: false,
    log: { level: 'Info', format: 'Text' },
  },
  injector: { delivery: 'Auto' },
  rollout: { strategy: 'Manual', maxConcurrent: 1 },
  rotation: { strategy: 'None', interval: '1m', vault: '' },
  failurePolicy: 'Ignore',
} as const;

/** What the fields of a policy's spec may hold, where that is one of a few words. */
export const ENUMS = {
  selector: { matchExpressions: { operator: ['In', 'NotIn', 'Exists', 'DoesNotExist'] } },
  inject: {
    when: ['References', 'Annotation', 'Always'],
    sources: { configMaps: ['Read', 'Ignore', 'Assume'], secrets: ['Read', 'Ignore', 'Assume'] },
  },
  vault: {
    tls: { caRef: { kind: ['ConfigMap', 'Secret'] } },
    auth: { method: ['Kubernetes', 'JWT', 'AppRole', 'Certificate', 'AWS', 'GCP', 'Azure'], type: ['IAM', 'GCE'] },
  },
  process: {
    mode: ['Exec', 'Daemon'],
    leaseEnd: { action: ['Restart', 'Keep'] },
    log: { level: ['Debug', 'Info', 'Warn', 'Error'], format: ['Text', 'JSON'] },
  },
  injector: {
    imagePullPolicy: ['Always', 'IfNotPresent', 'Never'],
    delivery: ['Auto', 'InitContainer', 'ImageVolume'],
  },
  overrides: { allow: ['Role', 'FromPaths', 'IgnoreMissing', 'Containers', 'Mode', 'LogLevel'] },
  rollout: { strategy: ['Manual', 'Automatic'] },
  rotation: { strategy: ['None', 'Restart'] },
  failurePolicy: ['Ignore', 'Fail'],
} as const;
