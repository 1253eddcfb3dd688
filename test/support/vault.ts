/** A real Vault in development mode on loopback (in memory, unsealed, KV version 2 at secret/), for one test run. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Agent, request } from 'undici';
import type { ControlPlane } from './control-plane.ts';
import { createAuthority } from './pki.ts';
import { freePorts } from './ports.ts';
import type { Log } from '../../build/tools/go-build.ts';
import type { ToolName } from '../../build/tools/table.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface Vault {
  /** http://127.0.0.1:PORT */
  readonly address: string;
  /** https://127.0.0.1:PORT: the same server, with a certificate that `caPem` verifies (also as localhost). */
  readonly tlsAddress: string;
  readonly caPem: string;
  /** The root token. */
  readonly token: string;
  /** Gone after stop(). */
  readonly dir: string;
  /**
   * One request to the API, as root unless `token` says otherwise ('' for none): `path` is what follows /v1/. Resolves
   * with the JSON of the response ({} if there is none); rejects with Vault's own words for 4xx and 5xx.
   */
  api(method: string, path: string, body?: Json, token?: string): Promise<Json>;
  /** Seals it: it then answers nothing but 503. */
  seal(): Promise<void>;
  unseal(): Promise<void>;
  stop(): Promise<void>;
}

const ROOT_TOKEN = 'root';
const PLUGIN = 'vault-plugin-auth-kubernetes';

export interface VaultOptions {
  /** Plugins that Vault is to find beside the one for Kubernetes auth. */
  readonly plugins?: readonly ToolName[];
  readonly log?: Log;
}

/** Starts Vault and resolves when it is unsealed. */
export async function startVault({ plugins = [], ...options }: VaultOptions = {}): Promise<Vault> {
  const names = [PLUGIN, ...plugins] as const;
  const programs = await ensureTools(['vault', ...names], options);
  const workspace = await openWorkspace('vault');
  try {
    const [port = 0, tlsPort = 0] = await freePorts(2);
    const authority = await createAuthority('vault');
    const serving = await authority.server('vault', ['127.0.0.1', 'localhost', 'vault.vault.svc']);
    const config = {
      listener: {
        tcp: {
          address: `127.0.0.1:${tlsPort}`,
          tls_cert_file: workspace.write('vault.crt', serving.certificate),
          tls_key_file: workspace.write('vault.key', serving.key),
        },
      },
    };
    const pluginFiles = names.map((name) => programs[name].path);
    const server = workspace.start('vault', [
      programs.vault.path,
      'server',
      '-dev',
      '-dev-no-store-token', // it would become the user's own ~/.vault-token
      `-dev-root-token-id=${ROOT_TOKEN}`,
      `-dev-listen-address=127.0.0.1:${port}`,
      `-dev-plugin-dir=${pluginFolder(workspace, pluginFiles)}`,
      `-config=${workspace.write('vault.json', JSON.stringify(config))}`,
    ]);
    const address = `http://127.0.0.1:${port}`;
    const api = (method: string, path: string, body?: Json, token = ROOT_TOKEN): Promise<Json> =>
      callVault(address, token, method, path, body);
    const unsealed = async (): Promise<boolean> => {
      const health: Json = await api('GET', 'sys/health').catch(() => ({}));
      // Development mode mounts secret/ last, after it has unsealed.
      return (
        health.sealed === false &&
        (await api('GET', 'sys/mounts/secret').then(
          () => true,
          () => false,
        ))
      );
    };
    await workspace.waitFor(server, 'it was unsealed', unsealed);
    const tlsAddress = `https://127.0.0.1:${tlsPort}`;
    const { dir } = workspace;
    return {
      address,
      tlsAddress,
      caPem: authority.certificate,
      token: ROOT_TOKEN,
      dir,
      api,
      seal: () => api('PUT', 'sys/seal').then(() => undefined),
      unseal: () => api('PUT', 'sys/unseal', { key: unsealKeyIn(server.logTail(LOG_LENGTH)) }).then(() => undefined),
      stop: () => workspace.close(),
    };
  } catch (error) {
    await workspace.close();
    throw error;
  }
}

// What development mode prints at its start.
const LOG_LENGTH = 1_000_000;

function unsealKeyIn(log: string): string {
  const key = /^Unseal Key: (\S+)$/m.exec(log)?.[1];
  if (key === undefined) throw new Error('Vault has not printed its unseal key');
  return key;
}

/** One directory with all of them, as Vault wants it: it takes no link that leads out of there. */
function pluginFolder({ dir }: Workspace, [first = '', ...more]: readonly string[]): string {
  if (more.length === 0) return dirname(first);
  const folder = join(dir, 'plugins');
  mkdirSync(folder);
  for (const plugin of [first, ...more]) copyFileSync(plugin, join(folder, basename(plugin)));
  return folder;
}

/**
 * Mounts Kubernetes auth at `mountPath` (default: kubernetes) for the ServiceAccounts of a control plane. Vault reviews
 * tokens as a ServiceAccount of its own, vault-token-reviewer in kube-system, that may do nothing else.
 */
export async function enableKubernetesAuth(
  vault: Vault,
  cluster: ControlPlane,
  mountPath = 'kubernetes',
): Promise<void> {
  await cluster.kubectlOk(['apply', '-f', '-'], TOKEN_REVIEWER);
  const reviewer = await cluster.kubectlOk([
    '-n',
    'kube-system',
    'create',
    'token',
    'vault-token-reviewer',
    '--duration=24h',
  ]);
  await mountKubernetesAuth(vault, mountPath);
  await vault.api('POST', `auth/${mountPath}/config`, {
    kubernetes_host: cluster.server,
    kubernetes_ca_cert: cluster.caPem,
    token_reviewer_jwt: reviewer.trim(),
    disable_local_ca_jwt: true, // Vault runs in no pod
  });
}

/** Mounts JWT auth at `mountPath` (default: jwt), which verifies the cluster's tokens by their signature alone. */
export async function enableJwtAuth(vault: Vault, cluster: ControlPlane, mountPath = 'jwt'): Promise<void> {
  await vault.api('POST', `sys/auth/${mountPath}`, { type: 'jwt' });
  await vault.api('POST', `auth/${mountPath}/config`, { jwt_validation_pubkeys: [cluster.tokenKeyPem] });
}

export interface RoleOptions {
  /** Names, * for all (default). */
  readonly serviceAccounts?: readonly string[];
  /** Names, * for all (default). */
  readonly namespaces?: readonly string[];
  readonly policies: readonly string[];
  /** What the tokens must be made for (default: not asked). */
  readonly audience?: string;
  readonly mountPath?: string;
}

/** A role of Kubernetes auth. */
export async function createRole(vault: Vault, name: string, options: RoleOptions): Promise<void> {
  const { serviceAccounts = ['*'], namespaces = ['*'], policies, audience, mountPath = 'kubernetes' } = options;
  await vault.api('POST', `auth/${mountPath}/role/${name}`, {
    bound_service_account_names: serviceAccounts,
    bound_service_account_namespaces: namespaces,
    token_policies: policies,
    token_ttl: '10m',
    ...(audience === undefined ? {} : { audience }),
  });
}

/** A role of JWT auth for one audience, or for any of several; the subject is the ServiceAccount, system:serviceaccount:NAMESPACE:NAME. */
export async function createJwtRole(
  vault: Vault,
  name: string,
  options: { readonly policies: readonly string[]; readonly mountPath?: string } & (
    { readonly audience: string } | { readonly audiences: readonly string[] }
  ),
): Promise<void> {
  await vault.api('POST', `auth/${options.mountPath ?? 'jwt'}/role/${name}`, {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: 'audience' in options ? [options.audience] : options.audiences,
    token_policies: options.policies,
    token_ttl: '10m',
  });
}

/** A policy that may read these paths, such as secret/data/shop/*. */
export async function allowReading(vault: Vault, name: string, paths: readonly string[]): Promise<void> {
  const policy = paths.map((path) => `path "${path}" { capabilities = ["read"] }`).join('\n');
  await vault.api('PUT', `sys/policies/acl/${name}`, { policy });
}

/** The operator's ServiceAccount in config/operator. */
export const OPERATOR = { namespace: 'vault-injection-system', name: 'vault-injection-operator' };

/** The ServiceAccount there that the operator logs in to Vault as. */
export const VAULT_ACCOUNT = 'vault-injection-operator-vault';

/** Lets the operator see the versions of all secrets below secret/, as docs/guides/rotation.md says. */
export async function allowRotation(vault: Vault): Promise<void> {
  const { name, namespace } = OPERATOR;
  await allowReading(vault, name, ['secret/metadata/*']);
  await createRole(vault, name, {
    serviceAccounts: [VAULT_ACCOUNT],
    namespaces: [namespace],
    policies: [name],
    audience: 'vault',
  });
}

/** Returns the flags of an operator that may look at secrets of this Vault; `changes` are those of each entry. */
export function identityFlags(vault: Pick<Vault, 'tlsAddress' | 'caPem' | 'dir'>, ...changes: Json[]): string[] {
  const caFile = join(vault.dir, 'ca-for-operator.crt');
  writeFileSync(caFile, vault.caPem);
  const entry = { name: 'main', address: vault.tlsAddress, caFile, paths: ['secret/data/*'] };
  const file = join(vault.dir, 'identities.yaml');
  // JSON is YAML
  writeFileSync(file, JSON.stringify((changes.length > 0 ? changes : [{}]).map((more) => ({ ...entry, ...more }))));
  return ['--vault-identities', file];
}

/** A new version of a secret of KV version 2: `path` as it is read, such as secret/data/shop/db. */
export async function writeSecret(vault: Vault, path: string, data: Json): Promise<void> {
  await vault.api('POST', path, { data });
}

/** Mounts KV version 1 at `mountPath`. */
export async function mountKvVersion1(vault: Vault, mountPath: string): Promise<void> {
  await vault.api('POST', `sys/mounts/${mountPath}`, { type: 'kv', options: { version: '1' } });
}

/** Mounts Kubernetes auth, without a configuration. */
export async function mountKubernetesAuth(vault: Vault, mountPath: string): Promise<void> {
  try {
    await vault.api('POST', `sys/auth/${mountPath}`, { type: PLUGIN });
  } catch {
    // A Vault found on PATH may refuse our plugin, and has the method built in.
    await vault.api('POST', `sys/auth/${mountPath}`, { type: 'kubernetes' });
  }
}

async function callVault(address: string, token: string, method: string, path: string, body?: Json): Promise<Json> {
  const dispatcher = new Agent({ pipelining: 0 }); // no connection is left that would keep the process up
  try {
    const response = await request(`${address}/v1/${path}`, {
      method: method as 'GET',
      headers: token === '' ? {} : { 'x-vault-token': token },
      body: body === undefined ? null : JSON.stringify(body),
      dispatcher,
    });
    const text = await response.body.text();
    const answer = (text === '' ? {} : JSON.parse(text)) as Json;
    if (response.statusCode < 400) return answer;
    throw new Error(`Vault: ${method} ${path}: ${response.statusCode} ${JSON.stringify(answer.errors ?? answer)}`);
  } finally {
    await dispatcher.close();
  }
}

const TOKEN_REVIEWER = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: vault-token-reviewer, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: vault-token-reviewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:auth-delegator"}
subjects: [{kind: ServiceAccount, name: vault-token-reviewer, namespace: kube-system}]
`;
