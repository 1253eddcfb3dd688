/**
 * Programs that start behind vault-env while a Vault cluster has no leader, and many that start at once before a Vault
 * with a rate limit: with the executable of this checkout, or of another one to compare with.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { goBuild } from '../../build/tools/go-build.ts';
import { startRaft, type Raft } from './raft.ts';
import { enableOwnJwtAuth } from './vault-engines.ts';
import { allowReading, startVault, writeSecret, type Vault } from './vault.ts';

/** Of a number of starts. */
export interface Starts {
  readonly started: number;
  readonly failed: number;
  /** Of the slowest one that succeeded, in milliseconds. */
  readonly slowestMs: number;
  /** How many said that their token was not revoked. */
  readonly unrevoked: number;
  /** What the first of the failed ones said. */
  readonly said: string;
}

export interface Programs {
  /** Starts one, and resolves with its exit status, what it wrote to standard error, and how long it took. */
  start(executable: string, address: string, timeout: string): Promise<Outcome>;
  stop(): void;
}

/** How one start ended. */
export interface Outcome {
  readonly status: number | null;
  readonly stderr: string;
  readonly ms: number;
}

// A wave of starts during one leader change: the pods of some Deployments on some nodes.
const APART_MS = 60;
// The longest election seen with three servers on two busy cores took 10 s.
const TIMEOUT = '30s';

/** Builds the executable of this checkout into a directory of its own. */
export async function buildVaultEnv(): Promise<{ readonly executable: string; remove(): void }> {
  const dir = mkdtempSync(join(tmpdir(), 'vault-env-'));
  const executable = join(dir, 'vault-env');
  await goBuild(join(import.meta.dirname, '../../vault-env'), '.', executable, ['-trimpath', '-ldflags=-s -w']);
  return { executable, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** What a program logs in with. */
export interface Login {
  readonly method: 'JWT' | 'Kubernetes';
  readonly token: string;
}

const byJwt = async (vault: Pick<Vault, 'api'>): Promise<Login> => {
  const token = await enableOwnJwtAuth(vault, 'shop', { policies: ['shop'], ttl: '10m' });
  return { method: 'JWT', token: token() };
};

/** Lets programs log in as the role shop (by JWT unless `login` says otherwise), and read one secret. */
export async function programs(vault: Pick<Vault, 'api'>, caPem: string, login?: Login): Promise<Programs> {
  const dir = mkdtempSync(join(tmpdir(), 'vault-env-'));
  await allowReading(vault as Vault, 'shop', ['secret/data/shop/*']);
  await writeSecret(vault as Vault, 'secret/data/shop/db', { password: 'from-vault' });
  const tokenPath = join(dir, 'token');
  const { method, token } = login ?? (await byJwt(vault));
  writeFileSync(tokenPath, token);
  return {
    start: (executable, address, timeout) => {
      const config = {
        vault: {
          address,
          timeout,
          ...(caPem === '' ? { allowPlaintext: true } : { tls: { caBundle: caPem } }),
          auth: { method, mountPath: method.toLowerCase(), role: 'shop', tokenPath },
        },
      };
      const env = {
        PATH: process.env.PATH ?? '',
        VAULT_ENV_CONFIG: JSON.stringify(config),
        PASSWORD: 'vault:secret/data/shop/db#password',
      };
      return run(executable, ['--', 'sh', '-c', 'test "$PASSWORD" = from-vault'], env);
    },
    stop: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function run(executable: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(executable, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stderr, ms: performance.now() - begun }));
  });
}

/** Counts how a number of starts ended. */
export function summary(outcomes: readonly Outcome[]): Starts {
  const failed = outcomes.filter(({ status }) => status !== 0);
  const good = outcomes.filter(({ status }) => status === 0).map(({ ms }) => ms);
  const last = failed[0]?.stderr.trimEnd().split('\n').at(-1);
  return {
    started: good.length,
    failed: failed.length,
    slowestMs: Math.round(Math.max(0, ...good)),
    unrevoked: outcomes.filter(({ stderr }) => stderr.includes('the token was not revoked')).length,
    said: last ?? '',
  };
}

/** A cluster of three servers, and programs that start at the servers that do not lead. */
export interface LeaderChanges {
  /** The leader steps down, and `count` programs start at its two standbys and at itself. */
  stepDown(executable: string, count: number): Promise<Starts>;
  /** The leader is killed, `count` programs start at the two others, and it comes back. */
  kill(executable: string, count: number): Promise<Starts>;
  stop(): Promise<void>;
}

export async function startLeaderChanges(): Promise<LeaderChanges> {
  const raft = await startRaft(3);
  try {
    await raft.api('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
    await mounted(raft);
    const starting = await programs({ api: (method, path, body) => raft.api(method, path, body) }, raft.caPem);
    const wave = async (executable: string, count: number, servers: readonly string[]): Promise<Starts> =>
      summary(
        await Promise.all(
          Array.from({ length: count }, async (_, index) => {
            await sleep(index * APART_MS);
            return starting.start(executable, servers[index % servers.length] ?? '', TIMEOUT);
          }),
        ),
      );
    return {
      stepDown: async (executable, count) => {
        await raft.leader();
        const [starts] = await Promise.all([wave(executable, count, raft.addresses), raft.stepDown()]);
        return starts;
      },
      kill: async (executable, count) => {
        const leader = await raft.leader();
        await raft.kill(leader);
        const starts = await wave(
          executable,
          count,
          raft.addresses.filter((_, index) => index !== leader),
        );
        await raft.restart(leader);
        return starts;
      },
      stop: async () => {
        starting.stop();
        await raft.stop();
      },
    };
  } catch (error) {
    await raft.stop();
    throw error;
  }
}

// KV version 2 answers 400 while it upgrades a new mount.
async function mounted(raft: Raft): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await raft.api('POST', 'secret/data/first', { data: { k: 'v' } });
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(100);
    }
  }
}

/** A Vault that answers at most `rate` requests in `interval`, such as 1s, and programs that start at once. */
export interface RateLimit {
  start(executable: string, count: number, timeout: string): Promise<Starts>;
  stop(): Promise<void>;
}

export async function startRateLimit(rate: number, interval: string): Promise<RateLimit> {
  const vault = await startVault();
  try {
    const starting = await programs(vault, vault.caPem);
    await vault.api('POST', 'sys/quotas/rate-limit/all', { rate, interval });
    return {
      start: async (executable, count, timeout) =>
        summary(
          await Promise.all(Array.from({ length: count }, () => starting.start(executable, vault.tlsAddress, timeout))),
        ),
      stop: async () => {
        starting.stop();
        await vault.stop();
      },
    };
  } catch (error) {
    await vault.stop();
    throw error;
  }
}
