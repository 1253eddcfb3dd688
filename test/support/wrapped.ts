/**
 * Programs behind vault-env on this machine, with the configuration that admission writes for a policy, before a real
 * Vault with a real PostgreSQL, a transit key and an authority: all that a pod has but the pod.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ruleOf } from './example-policy.ts';
import { vaultEnvConfig } from '../../core/injection/config.ts';
import { roleFor } from '../../core/injection/login.ts';
import { optionsOf } from '../../core/injection/overrides.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { VAULT_ENV_LINKER } from '../../build/go-modules.ts';
import { goBuild } from '../../build/tools/go-build.ts';
import { enableDatabase, enableOwnJwtAuth, enableTransit, POSTGRES_PLUGIN, writePolicy } from './vault-engines.ts';
import { startVault, type Json, type Vault } from './vault.ts';

/** The spec of a policy; of vault only auth, where it is not by JWT. */
export type Spec = Readonly<Record<string, unknown>> & { readonly vault?: { readonly auth: object } };

export interface Ended {
  /** null if a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<Ended>;
}

export interface Engines {
  readonly vault: Vault;
  readonly postgres: Postgres;
  /** Vault's ciphertext (vault:v1:…) of a text, made with the transit key shop. */
  encrypt(text: string): Promise<string>;
  /** Puts a file where containers have what they log in with: role-id, tls.key. */
  readonly writeCredential: (name: string, content: string) => void;
  /** Starts vault-env before a command, in a container's environment of these variables. */
  start(command: readonly string[], variables: NodeJS.ProcessEnv, spec?: Spec): Running;
  /** The same, and waits for its end. */
  run(command: readonly string[], variables: NodeJS.ProcessEnv, spec?: Spec): Promise<Ended>;
  /** What psql needs to log in to PostgreSQL as the user that a role of the database engine creates. */
  asUserOf(role: string): NodeJS.ProcessEnv;
  /** psql, and the arguments that make it print the result of a query. */
  psql(sql: string): readonly string[];
  /** Whether PostgreSQL knows this user. */
  isUser(name: string): Promise<boolean>;
  /** Names below a path of Vault; none if there is nothing. */
  list(path: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** The role that programs log in as: may read secret/shop/ and credentials, decrypt with shop, issue with pki's shop. */
const POLICY = [
  'path "secret/data/shop/*" { capabilities = ["read"] }',
  'path "database/creds/*" { capabilities = ["read"] }',
  'path "transit/decrypt/shop" { capabilities = ["update"] }',
  'path "pki/issue/shop" { capabilities = ["update"] }',
];

/** Starts it all. `tokenTtl` is the life of the tokens that programs log in for, such as 1h. */
export async function startEngines(tokenTtl: string): Promise<Engines> {
  const dir = mkdtempSync(join(tmpdir(), 'engines-'));
  const started: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (const part of started.splice(0).reverse()) await part.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  try {
    const executable = join(dir, 'vault-env');
    await goBuild(join(import.meta.dirname, '../../vault-env'), '.', executable, [`-ldflags=${VAULT_ENV_LINKER}`]);
    const postgres = keep(await startPostgres());
    const vault = keep(await startVault({ plugins: [POSTGRES_PLUGIN] }));
    await enableDatabase(vault, postgres);
    const encrypt = await enableTransit(vault, 'shop');
    await enableAuthority(vault);
    await writePolicy(vault, 'shop', POLICY);
    const jwt = await enableOwnJwtAuth(vault, 'shop', { policies: ['shop'], ttl: tokenTtl });
    writeFileSync(join(dir, 'token'), jwt());
    const start: Engines['start'] = (command, variables, spec = {}) => {
      const config = configuration(vault, dir, spec);
      return startProgram([executable, '--', ...command], { ...variables, VAULT_ENV_CONFIG: config });
    };
    const connection = { PGHOST: postgres.host, PGPORT: String(postgres.port), PGDATABASE: 'postgres' };
    return {
      vault,
      postgres,
      encrypt,
      writeCredential: (name, content) => writeFileSync(join(dir, name), content, { mode: 0o600 }),
      start,
      run: (...what) => start(...what).ended,
      asUserOf: (role) => ({
        ...postgres.psql.env,
        ...connection,
        PGUSER: `vault:database/creds/${role}#username`,
        PGPASSWORD: `vault:database/creds/${role}#password`,
      }),
      psql: (sql) => [postgres.psql.path, '--no-psqlrc', '-tAc', sql],
      isUser: async (name) => (await postgres.query(`select 1 from pg_roles where rolname = '${name}'`)).length > 0,
      list: async (path) => {
        const { data } = await vault.api('GET', `${path}?list=true`).catch((): Json => ({}));
        return (data as { keys: string[] } | undefined)?.keys ?? [];
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Mounts PKI at pki/ with a root and the role shop, which issues for any name. */
async function enableAuthority(vault: Vault): Promise<void> {
  await vault.api('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.api('POST', 'pki/root/generate/internal', { common_name: 'shop', ttl: '24h' });
  await vault.api('POST', 'pki/roles/shop', { allow_any_name: true, max_ttl: '1h' });
}

/** VAULT_ENV_CONFIG as a container gets it for a policy of this Vault, the kubelet's expansion done. */
function configuration(vault: Vault, folder: string, spec: Spec): string {
  const { auth } = spec.vault ?? { auth: { method: 'JWT' } };
  const connection = { address: vault.tlsAddress, tls: { caBundle: vault.caPem }, auth };
  const rule = ruleOf({ ...spec, vault: connection });
  const settings = optionsOf(rule, { inject: undefined, policy: undefined, values: new Map() }, () => undefined);
  const takesToken = rule.vault.auth.secretRef === undefined;
  const paths = {
    executable: '',
    token: takesToken ? folder : undefined,
    ca: undefined,
    credentials: takesToken ? undefined : folder,
  };
  const places = { paths, terminationMessagePath: undefined };
  return vaultEnvConfig(rule, settings, roleFor(rule, settings.role, 'shop'), places).replaceAll('$$', () => '$');
}

function startProgram([program = '', ...args]: readonly string[], variables: NodeJS.ProcessEnv): Running {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => (said[stream] += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...said }));
  });
  return { child, stdout: () => said.stdout, stderr: () => said.stderr, ended };
}
