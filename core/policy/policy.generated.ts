// Generated from crds/vaultinjectionpolicies.yaml by build/generate/policy-types.ts. Do not edit.
import type { KubernetesObject, ObjectMeta } from '../../core/object.ts';

/**
 * VaultInjectionPolicy decides which Deployments and StatefulSets of its namespace get Vault
 * secrets into the environment of their programs, from which Vault, as which role, and what
 * the workloads' own annotations may change of that.
 */
export interface VaultInjectionPolicy extends KubernetesObject {
  readonly metadata: ObjectMeta & { readonly namespace: string };
  readonly spec: VaultInjectionPolicySpec;
  readonly status?: VaultInjectionPolicyStatus;
}

/** What the policy asks for. Only vault.address is required. */
export interface VaultInjectionPolicySpec {
  /**
   * true takes the policy out of force without deleting it: workloads get their own templates
   * back the next time they are changed.
   */
  readonly suspend: boolean;
  /**
   * Of several policies that match a workload the highest priority wins, then the older policy,
   * then the first by name.
   */
  readonly priority: number;
  /** The kinds of workloads that the policy is for. */
  readonly targets: readonly ('Deployment' | 'StatefulSet')[];
  /**
   * Which workloads of the namespace, by the workload's own labels (not those of its pods).
   * Empty selects all of them.
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
     * where environment.fromPaths is set). Annotation does the same, but only for workloads with
     * the annotation vaultinjection.dev/inject: "true". Always wraps every selected container.
     * The annotation vaultinjection.dev/inject: "false" keeps a workload out of all three.
     */
    readonly when: 'References' | 'Annotation' | 'Always';
    /** Which containers may be wrapped, by name. */
    readonly containers: {
      /** Names of containers, * stands for any run of characters. */
      readonly include: readonly string[];
      /**
       * Names of containers that are left alone, even if included; * stands for any run of
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
     * What to do about environment that stands in another object (envFrom and valueFrom), where
     * references to Vault may be held as well. Read looks into the object. Ignore does not, with
     * a warning where that leaves a container alone. Assume takes it for granted that references
     * are there, and wraps.
     */
    readonly sources: {
      /** About ConfigMaps, which the operator may read everywhere. */
      readonly configMaps: 'Read' | 'Ignore' | 'Assume';
      /**
       * About Secrets. Read needs a Role in the namespace of the workloads that lets the operator
       * get the Secrets it names; the operator has no right to Secrets otherwise.
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
    /** Vault (or OpenBao) namespace, such as admin/team-a; empty is the root namespace. */
    readonly namespace?: string;
    /**
     * How long vault-env may take for login and all reads, retries included, before it gives up:
     * 1s to 5m.
     */
    readonly timeout: string;
    /** How Vault's certificate is verified. It always is; there is no switch to skip it. */
    readonly tls?: {
      /**
       * CA certificates as PEM, written out here. Without caBundle and caRef the roots of the
       * container's image count.
       */
      readonly caBundle?: string;
      /**
       * A ConfigMap or Secret in the workload's namespace that holds the CA certificates; mounted
       * into wrapped pods.
       */
      readonly caRef?: {
        /** The kind of the object. */
        readonly kind: 'ConfigMap' | 'Secret';
        /** The name of the object. */
        readonly name: string;
        /** The key in the object under which the PEM stands. */
        readonly key: string;
      };
      /** Name to expect in Vault's certificate, where it is not the host of the address. */
      readonly serverName?: string;
    };
    /**
     * How pods log in; unless told otherwise, each with a projected token of its own
     * ServiceAccount.
     */
    readonly auth: {
      /**
       * The auth method. Kubernetes and JWT take a token of the pod's ServiceAccount, which Vault
       * checks with the cluster or by its signature; AppRole and Certificate what a Secret holds;
       * AWS, GCP and Azure the identity that the cloud gives the pod.
       */
      readonly method: 'Kubernetes' | 'JWT' | 'AppRole' | 'Certificate' | 'AWS' | 'GCP' | 'Azure';
      /**
       * Where the auth method is mounted in Vault, without auth/ before it. Default: kubernetes,
       * jwt, approle, cert, aws, gcp or azure, as the method is.
       */
      readonly mountPath?: string;
      /**
       * The role to log in as. Empty stands for the name of the pod's ServiceAccount; for the
       * method Certificate, for any role that trusts the certificate. With AppRole the role-id says
       * the role.
       */
      readonly role?: string;
      /**
       * Audience of the ServiceAccount token, as the Vault role expects it (Kubernetes, JWT). Empty
       * stands for the API server's own audience.
       */
      readonly audience?: string;
      /**
       * Life of the projected token (Kubernetes, JWT): 10m (the API server's minimum) to 24h. The
       * kubelet renews it in time, so restarts of the container work as well.
       */
      readonly tokenExpiration: string;
      /**
       * A Secret in the workload's namespace with what the pods log in with, mounted into wrapped
       * containers: for AppRole the keys role-id and secret-id, for Certificate tls.crt and
       * tls.key.
       */
      readonly secretRef?: {
        /** The name of the Secret. */
        readonly name: string;
      };
      /**
       * true says that secret-id holds a response-wrapping token (AppRole). It is good for one
       * login: the next start of a container needs another one in the Secret.
       */
      readonly secretIDWrapped?: boolean;
      /**
       * The method's own type (AWS, GCP). IAM, the default, is for pods with an identity of their
       * own; GCE logs in as the instance that the pod runs on.
       */
      readonly type?: 'IAM' | 'GCE';
      /**
       * Region whose STS the login is signed for (AWS), such as eu-west-1. Empty stands for the
       * global one.
       */
      readonly region?: string;
      /**
       * Value of the header X-Vault-AWS-IAM-Server-ID (AWS), where Vault's method asks for one
       * (iam_server_id_header_value).
       */
      readonly headerValue?: string;
      /**
       * E-mail address of the service account of Google Cloud (GCP). Empty stands for the pod's
       * own.
       */
      readonly serviceAccount?: string;
      /**
       * What the token of Microsoft Entra ID is for (Azure), as Vault's method is configured. Empty
       * stands for https://management.azure.com/.
       */
      readonly resource?: string;
    };
  };
  /** What ends up in the environment of wrapped programs. */
  readonly environment: {
    /** Secrets of which every key becomes a variable, in this order. */
    readonly fromPaths?: readonly {
      /**
       * Path as Vault's API has it, such as secret/data/shop/app for version 2 of the KV engine
       * mounted at secret/.
       */
      readonly path: string;
      /** Version of the secret (version 2 of the KV engine only). Left out, the newest is read. */
      readonly version?: number;
      /** Put before each key as it stands, so SHOP_ makes SHOP_password of the key password. */
      readonly prefix?: string;
      /** true lets a key win over a variable of the same name in the workload's manifest. */
      readonly overwrite: boolean;
    }[];
    /**
     * true starts the program although Vault has nothing at a path that it refers to, with the
     * variable left out. A key that a secret does not have, and a path that is denied, remain
     * failures.
     */
    readonly ignoreMissing: boolean;
    /**
     * Variables of the VAULT_* family that fromPaths may set; keys of such names are left out
     * otherwise, with a warning. What the container sets itself is always left for the program.
     */
    readonly passthrough?: readonly string[];
    /** How references that are ciphertexts of the transit engine (vault:v1:…) are decrypted. */
    readonly transit: {
      /** The name of the transit key. Empty, a program that refers to a ciphertext is not started. */
      readonly keyID?: string;
      /** Where the transit engine is mounted in Vault. */
      readonly mountPath: string;
      /** How many ciphertexts one request may decrypt. */
      readonly batchSize: number;
    };
    /**
     * Variables that fromPaths may set although they make a program load or run other code, such
     * as PATH, LD_PRELOAD and NODE_OPTIONS. Those that are not listed are left out, with a
     * warning.
     */
    readonly allowedNames?: readonly string[];
    /**
     * If set, a reference to a path outside of these is refused, at admission and again by
     * vault-env. * stands for any run of characters, slashes included.
     */
    readonly allowedPaths?: readonly string[];
  };
  /** How the program is started, and what vault-env does after that. */
  readonly process: {
    /**
     * Exec: vault-env becomes the program and is gone. Daemon: it stays as the program's parent,
     * renews the leases of dynamic secrets, forwards signals and ends as the program does.
     */
    readonly mode: 'Exec' | 'Daemon';
    /**
     * What mode Daemon does when a lease cannot be renewed any further. Left out, as action
     * Restart.
     */
    readonly leaseEnd?: {
      /**
       * Restart ends the program, so that the kubelet starts the container again, with new secrets.
       * Keep leaves the program to itself.
       */
      readonly action: 'Restart' | 'Keep';
      /** What tells the program to end, such as SIGTERM, SIGINT, SIGQUIT or SIGRTMIN+3. */
      readonly signal: string;
      /** How long the program has after the signal, up to 10m, before it is killed. */
      readonly gracePeriod: string;
    };
    /**
     * How long vault-env waits, up to 10m, between reading the secrets and starting the program;
     * for what has to be ready in the pod before the program is.
     */
    readonly delay: string;
    /**
     * Whether the token that vault-env logged in for is revoked: in mode Exec before the program
     * starts, unless a lease depends on it, whose end that would be, or the program gets it
     * (vault:login); in mode Daemon when the program has ended, and with it all that was lent.
     */
    readonly revokeToken: boolean;
    /**
     * true makes vault-env read secrets for the first process of a container alone, not for one
     * that kubectl exec starts there. A guard against accidents: whoever may exec has other ways
     * to them.
     */
    readonly refuseExec: boolean;
    /**
     * What vault-env writes to standard error. Never a secret, a token or an argument of the
     * program.
     */
    readonly log: {
      /** The least severe lines that are written. */
      readonly level: 'Debug' | 'Info' | 'Warn' | 'Error';
      /** Lines for people or for machines. */
      readonly format: 'Text' | 'JSON';
    };
  };
  /** Where vault-env comes from, and what its init container may use. */
  readonly injector: {
    /** Image with vault-env. Empty stands for the one that the operator is configured with. */
    readonly image?: string;
    /** When the image is pulled. Left out, the operator's setting counts. */
    readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
    /**
     * How vault-env gets into the pod: an init container copies it into memory, or the image is
     * mounted as a volume (Kubernetes 1.36 or newer, with nodes that can). Auto is InitContainer
     * for now.
     */
    readonly delivery: 'Auto' | 'InitContainer' | 'ImageVolume';
    /**
     * Resources of the init container. Left out: requests of 10m cpu and 32Mi memory and a limit
     * of 64Mi memory.
     */
    readonly resources?: {
      /** What the init container is given; cpu, memory, ephemeral-storage. */
      readonly requests?: Readonly<Record<string, number | string>>;
      /** What the init container may take at most; cpu, memory, ephemeral-storage. */
      readonly limits?: Readonly<Record<string, number | string>>;
    };
    /**
     * User and group of the init container. Left out, it runs as the pod does, or as 65532 where
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
   * What images start, for containers that have no command of their own. The first entry that
   * matches counts.
   */
  readonly images?: readonly {
    /** The image as it stands in the manifest, * for any run of characters, such as redis:*. */
    readonly match: string;
    /** The image's ENTRYPOINT. */
    readonly entrypoint?: readonly string[];
    /** The image's CMD; used where the container has no args of its own. */
    readonly cmd?: readonly string[];
  }[];
  /** What annotations of a workload may change. Nothing that is not listed here. */
  readonly overrides?: {
    /** The annotations that count, such as Role for vaultinjection.dev/role. */
    readonly allow?: readonly ('Role' | 'FromPaths' | 'IgnoreMissing' | 'Containers' | 'Mode' | 'LogLevel')[];
    /** Roles that an annotation may choose, * for any run of characters. Empty allows every role. */
    readonly roles?: readonly string[];
  };
  /**
   * What happens to workloads that are injected in another way than the policy and the operator
   * would do it now: the policy was changed, or the injector was upgraded.
   */
  readonly rollout: {
    /**
     * Manual counts them as outdated and leaves them; kubectl annotate deployment NAME
     * vaultinjection.dev/apply=now rolls one, and so does any other change of it. Automatic rolls
     * them, a few at a time, waits until each is available, and stops when one fails. Paused
     * Deployments and StatefulSets with the update strategy OnDelete are left alone.
     */
    readonly strategy: 'Manual' | 'Automatic';
    /**
     * How many workloads of the policy may be rolling at the same time, for restarts after a
     * rotation as well.
     */
    readonly maxConcurrent: number;
  };
  /** What happens when a secret gets a new version in Vault. */
  readonly rotation: {
    /**
     * None leaves the pods with what they read when they started. Restart rolls the workloads
     * that read the newest version of a path of a KV store, version 2, when it has a newer one.
     * The operator reads the metadata of these paths, never what they hold, and only from Vaults
     * that its settings name.
     */
    readonly strategy: 'None' | 'Restart';
    /** How often the versions are looked at; the shortest one counts where policies share a path. */
    readonly interval: string;
  };
  /**
   * What happens to a workload of this policy that cannot be injected, be it that the operator
   * is away or that the workload is at fault. Ignore admits it as it is, with a warning where
   * the operator is there to give one; its programs then see the references themselves. Fail
   * refuses the change with a message, so nothing starts without its secrets. Pods and scaling
   * are never held up.
   */
  readonly failurePolicy: 'Ignore' | 'Fail';
}

/** What the operator says about the policy. */
export interface VaultInjectionPolicyStatus {
  /** The generation of the policy that the status is about. */
  readonly observedGeneration?: number;
  /**
   * How many workloads match the policy and no other that wins, and how they stand to it.
   * matched is the sum of the others.
   */
  readonly workloads?: {
    /** Workloads that this policy counts for. */
    readonly matched: number;
    /** Injected as the policy says now. */
    readonly injected: number;
    /** Injected, but admission would change the template now. */
    readonly outdated: number;
    /** At least one container that ought to be injected is not. */
    readonly missed: number;
    /** Admission would refuse the workload as it is stored. */
    readonly denied: number;
    /** A container cannot be injected and is left as it is. */
    readonly failed: number;
    /** Kept out by an annotation, or without a reference to Vault. */
    readonly excluded: number;
  };
  /** When a workload of the policy was injected last. */
  readonly lastAppliedTime?: string;
  /** The last workload that admission refused because of this policy. */
  readonly lastDenial?: {
    /** When it was refused. */
    readonly time: string;
    /** Kind of the workload. */
    readonly kind: string;
    /** Name of the workload. */
    readonly name: string;
    /** The cause, as one word for machines. */
    readonly reason: string;
    /** The cause, as a sentence for people. */
    readonly message: string;
  };
  /** Workloads that somebody should look at, the most urgent first. */
  readonly attention?: readonly {
    /** Kind of the workload. */
    readonly kind: string;
    /** Name of the workload. */
    readonly name: string;
    /** How it stands to the policy. */
    readonly state: 'Injected' | 'Outdated' | 'Missed' | 'Denied' | 'Failed' | 'Excluded';
    /** The cause, as one word for machines. */
    readonly reason: string;
    /** The cause, as a sentence for people. */
    readonly message: string;
    /** When it was seen first in this state for this reason. */
    readonly since?: string;
  }[];
  /** How many more there are than attention has room for. */
  readonly attentionOmitted?: number;
  /** Other policies that match some of the same workloads. */
  readonly conflicts?: readonly {
    /** Name of the other policy. */
    readonly policy: string;
    /** Whether this policy counts for these workloads, and not the other. */
    readonly wins: boolean;
    /** How many workloads both match. */
    readonly workloads: number;
    /** One of them, as Kind/name. */
    readonly example: string;
  }[];
  /**
   * Accepted (the policy is sound), Programmed (admission uses it), VaultReachable
   * (informational), CertificateReady and Ready (the sum of them); Rotating (informational)
   * where rotation.strategy is Restart; Reconciling and Stalled as long as they are true.
   * Stalled is also there when a repair was undone again and again or a rollout has failed,
   * while Ready says that the policy is in force.
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
  /** When status changed last. */
  readonly lastTransitionTime: string;
  /** The cause, as one word for machines. */
  readonly reason: string;
  /** The cause, as a sentence for people. */
  readonly message: string;
}

/** What the fields of a policy's spec hold where its author leaves them out. */
export const DEFAULTS = {
  suspend: false,
  priority: 0,
  targets: ['Deployment', 'StatefulSet'],
  inject: {
    when: 'References',
    containers: { include: ['*'] },
    initContainers: true,
    probes: false,
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
  rotation: { strategy: 'None', interval: '1m' },
  failurePolicy: 'Ignore',
} as const;

/** What the fields of a policy's spec may hold, where that is one of a few words. */
export const ENUMS = {
  targets: ['Deployment', 'StatefulSet'],
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
