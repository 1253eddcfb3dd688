/**
 * How pods log in to Vault, one row for each auth method: all that differs between them on this side of the
 * VAULT_ENV_CONFIG. Adding one takes a row here, its name in `vault.auth.method` of the CRD (with its own fields there,
 * and what is generated from it), and a file in vault-env.
 */
import type { VaultInjectionPolicySpec } from './policy/policy.generated.ts';

type PolicyAuth = VaultInjectionPolicySpec['vault']['auth'];

export type AuthMethod = PolicyAuth['method'];

/** Fields of vault.auth that only some methods have; they mean the same to a policy and to vault-env. */
export type AuthDetail = Exclude<
  keyof PolicyAuth,
  'method' | 'mountPath' | 'role' | 'audience' | 'tokenExpiration' | 'secretRef'
>;

export interface AuthMethodRow {
  /** Where `vault auth enable` mounts it by default. */
  readonly mountPath: string;
  /** Whether it takes a token of the pod's ServiceAccount; pods of other methods do not get one. */
  readonly takesToken: boolean;
  /**
   * Keys of the Secret that it takes, which are also the file names, by the keys of vault-env's settings. Left out if
   * it takes none. The program does not see anything else that the Secret holds.
   */
  readonly secretFiles?: Readonly<Record<string, string>>;
  /** The role to request if nobody names one: the one named after the pod's ServiceAccount, or none. */
  readonly unnamedRole: 'ServiceAccount' | 'None';
  /** Why no annotation can choose the role; left out if one can. */
  readonly fixedRole?: string;
  readonly details: readonly AuthDetail[];
}

export const AUTH_METHODS: Readonly<Record<AuthMethod, AuthMethodRow>> = {
  Kubernetes: { mountPath: 'kubernetes', takesToken: true, unnamedRole: 'ServiceAccount', details: [] },
  JWT: { mountPath: 'jwt', takesToken: true, unnamedRole: 'ServiceAccount', details: [] },
  AppRole: {
    mountPath: 'approle',
    takesToken: false,
    secretFiles: { roleIDFile: 'role-id', secretIDFile: 'secret-id' },
    unnamedRole: 'None',
    fixedRole: 'its role-id determines the role',
    details: ['secretIDWrapped'],
  },
  Certificate: {
    mountPath: 'cert',
    takesToken: false,
    // as in a Secret of type kubernetes.io/tls
    secretFiles: { certFile: 'tls.crt', keyFile: 'tls.key' },
    unnamedRole: 'None',
    details: [],
  },
  AWS: {
    mountPath: 'aws',
    takesToken: false,
    unnamedRole: 'ServiceAccount',
    details: ['type', 'region', 'headerValue'],
  },
  GCP: { mountPath: 'gcp', takesToken: false, unnamedRole: 'ServiceAccount', details: ['type', 'serviceAccount'] },
  Azure: { mountPath: 'azure', takesToken: false, unnamedRole: 'ServiceAccount', details: ['resource'] },
};

/** Each of them once, whichever methods have it. */
export const AUTH_DETAILS: readonly AuthDetail[] = [
  ...new Set(Object.values(AUTH_METHODS).flatMap(({ details }) => details)),
];
