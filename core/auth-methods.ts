/**
 * How pods log in to Vault, one row for each auth method: all that differs between them on this side of the
 * VAULT_ENV_CONFIG. To add one takes a row here, its name in `vault.auth.method` of the CRD (with its own fields there,
 * and what is generated from it), and a file in vault-env.
 */
import type { VaultInjectionPolicySpec } from './policy/policy.generated.ts';

type PolicyAuth = VaultInjectionPolicySpec['vault']['auth'];

export type AuthMethod = PolicyAuth['method'];

/** Fields of vault.auth that belong to some methods alone and mean the same to policy and vault-env. */
export type AuthDetail = Exclude<
  keyof PolicyAuth,
  'method' | 'mountPath' | 'role' | 'audience' | 'tokenExpiration' | 'secretRef'
>;

export interface AuthMethodRow {
  /** Where `vault auth enable` mounts it unless it is told otherwise. */
  readonly mountPath: string;
  /** It takes a token of the pod's ServiceAccount; the pods of any other method are not given one. */
  readonly takesToken: boolean;
  /**
   * Keys of the Secret that it takes, which are the names of the files as well, by the keys of vault-env's settings. Left
   * out: it takes none. Nothing else that the Secret may hold is shown to the program.
   */
  readonly secretFiles?: Readonly<Record<string, string>>;
  /** What is asked for where nobody names a role: the one called like the pod's ServiceAccount, or none. */
  readonly unnamedRole: 'ServiceAccount' | 'None';
  /** Why no annotation can choose the role; left out where one can. */
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
    // as a Secret of the type kubernetes.io/tls has them
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

/** Each of them once. */
export const AUTH_DETAILS: readonly AuthDetail[] = [
  ...new Set(Object.values(AUTH_METHODS).flatMap(({ details }) => details)),
];
