/**
 * How long `vault-env true` takes in front of a real Vault over TLS, beside the floor: the least a Go program can do for
 * the same answers. Vault is on this machine, and by a proxy that delays, 5 and 20 ms away.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { freePort } from '../support/ports.ts';
import { goBuild } from '../../build/tools/go-build.ts';
import { enableOwnJwtAuth, enableTransit, writePolicy } from '../support/vault-engines.ts';
import { startVault, writeSecret, type Vault } from '../support/vault.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';
import { fixed, table } from './table.ts';

const here = import.meta.dirname;
const vaultEnv = join(here, '../../dist/vault-env');
// 72 cases of 3 to 140 ms: with this many rounds about two minutes.
const RUNS = 30;
const COMPARED_RUNS = 200;
const RSS_RUNS = 5;
const WARM_RUNS = 2;
const MOST_PATHS = 50;
const CIPHERTEXTS = 60;
const DISTANCES_MS = [0, 5, 20];
const KEY = 'bench';

/** What is asked of Vault: the values of the variables V0, V1, …. */
interface Load {
  readonly name: string;
  readonly values: readonly string[];
}

/** How it gets its token, and whether it revokes that: one that was given, or of a login, is kept. */
type Login = 'token' | 'JWT' | 'JWT, kept';

interface Case {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly warm: number;
}

interface Timed {
  readonly name: string;
  readonly failed: number;
  readonly medianMs: number;
  readonly p90Ms: number;
  readonly rssMedianKiB?: number;
}

/** Where everything is. */
interface Stage {
  readonly vault: Vault;
  readonly floor: string;
  readonly token: string;
  /** Files with the JWT and the CA. */
  readonly jwt: string;
  readonly ca: string;
  /** Vault's address at each of DISTANCES_MS. */
  readonly addresses: readonly string[];
  readonly loads: readonly Load[];
}

/** Markdown with one table, and what it leaves out in words. */
export async function benchVaultEnv(): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-bench-'));
  const workspace = await openWorkspace('bench');
  const vault = await startVault();
  try {
    const built = async (folder: string): Promise<string> => {
      const output = join(scratch, folder.replace('/', '-'));
      await goBuild(join(here, folder), '.', output, ['-ldflags=-s -w']);
      return output;
    };
    const proxy = await built('tools/delayproxy');
    const addresses: string[] = [];
    for (const ms of DISTANCES_MS)
      addresses.push(ms === 0 ? vault.tlsAddress : await delayed(workspace, proxy, vault.tlsAddress, ms));
    const stage = { vault, addresses, floor: await built('floor'), ...(await prepare(vault, scratch)) };
    const hello: Case = { name: 'hello', argv: [await built('tools/hello')], env: [], warm: WARM_RUNS };
    const cases = casesOf(stage);
    const timed = time(await built('tools/wraprun'), scratch, [hello, ...cases], hasTime() ? RSS_RUNS : 0);
    const seen = await requestsSeen(vault, scratch, cases);
    return report(stage, new Map(timed.map((one) => [one.name, one])), seen);
  } finally {
    await vault.stop();
    await workspace.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * This build of vault-env beside another one, and beside itself: time, memory and size.
 * @param other the executable of the other build
 */
export async function compareVaultEnv(other: string): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-bench-'));
  const vault = await startVault();
  try {
    const stage = { vault, addresses: [vault.tlsAddress], floor: '', ...(await prepare(vault, scratch)) };
    const wraprun = join(scratch, 'wraprun');
    await goBuild(join(here, 'tools/wraprun'), '.', wraprun, ['-ldflags=-s -w']);
    const names = ['nothing to resolve', '1 path', '50 paths'];
    const loads = rowsOf(stage)
      .filter(({ load }) => names.includes(load.name))
      .flatMap((row) => (row.login === 'JWT' ? [row, { ...row, login: 'JWT, kept' as const }] : [row]));
    // A file that the linker has just written is in the page cache in smaller pieces than a copied one, and starts slower.
    const contenders = [vaultEnv, other, vaultEnv].map((program, at) => {
      const copy = join(scratch, `vault-env-${at}`);
      copyFileSync(program, copy);
      return copy;
    });
    const rss = hasTime() ? RSS_RUNS : 0;
    let failed = 0;
    // Load by load: what runs between two starts is never more than these three.
    const rows = loads.map(({ load, login }) => {
      const references = load.values.map((value, n) => `V${n}=${value}`);
      const cases = contenders.map((program): Case => ({
        name: `${basename(program)}, ${load.name}, ${login}`,
        argv: [program, '--', '/bin/true'],
        env: [...vaultEnvironment(stage, login, vault.tlsAddress), ...references],
        warm: WARM_RUNS,
      }));
      const timed = time(wraprun, scratch, cases, rss, COMPARED_RUNS);
      failed += timed.reduce((sum, one) => sum + one.failed, 0);
      const [now = NaN, before = NaN, again = NaN] = timed.map((one) => one.medianMs);
      const memory = timed.map(({ rssMedianKiB = NaN }) => fixed(rssMedianKiB / 1024, 1));
      const ms = [fixed(now, 3), fixed(before, 3), fixed(now / before, 3), fixed(now / again, 3)];
      return [load.name, login, ...ms, ...memory.slice(0, 2)];
    });
    const [size, sizeBefore] = [statSync(vaultEnv).size, statSync(other).size];
    const head = ['`vault-env true`', 'login', 'median ms', 'before', 'ratio', 'noise', 'RSS MiB', 'before'];
    const noise = '"noise" is the ratio of two copies of this build.';
    return `${table([head, ...rows])}\n\n${COMPARED_RUNS} runs each in turns, ${failed} failed; ${noise} Size: ${size} bytes, before ${sizeBefore}: ${fixed(size / sizeBefore, 4)}.\n`;
  } finally {
    await vault.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Puts secrets, ciphertexts and a role into Vault. */
async function prepare(vault: Vault, scratch: string): Promise<Pick<Stage, 'token' | 'jwt' | 'ca' | 'loads'>> {
  const secrets = Array.from({ length: MOST_PATHS }, (_, n) => `secret/data/bench/${n}`);
  for (const path of secrets) await writeSecret(vault, path, { key: `value of ${path}` });
  const encrypt = await enableTransit(vault, KEY);
  const ciphertexts: string[] = [];
  for (let n = 0; n < CIPHERTEXTS; n++) ciphertexts.push(await encrypt(`value ${n}`));
  await writePolicy(vault, 'bench', [
    'path "secret/data/bench/*" { capabilities = ["read"] }',
    `path "transit/decrypt/${KEY}" { capabilities = ["update"] }`,
  ]);
  const makeJwt = await enableOwnJwtAuth(vault, 'bench', { policies: ['bench'], ttl: '1h' });
  const { auth } = await vault.api('POST', 'auth/token/create', { policies: ['bench'], ttl: '1h' });
  const [jwt, ca] = [join(scratch, 'jwt'), join(scratch, 'ca.crt')];
  writeFileSync(jwt, makeJwt(), { mode: 0o600 });
  writeFileSync(ca, vault.caPem);
  const reference = (path: string): string => `vault:${path}#key`;
  const [one = ''] = secrets;
  const loads = [
    { name: 'nothing to resolve', values: [] },
    { name: '1 path', values: [reference(one)] },
    { name: '10 paths', values: secrets.slice(0, 10).map(reference) },
    { name: '50 paths', values: secrets.map(reference) },
    { name: '50 references to one path', values: secrets.map(() => reference(one)) },
    { name: '60 transit values', values: ciphertexts },
  ];
  return { token: (auth as { client_token: string }).client_token, jwt, ca, loads };
}

/** The address of a proxy that puts Vault `ms` away. */
async function delayed(workspace: Workspace, proxy: string, address: string, ms: number): Promise<string> {
  const port = await freePort();
  const target = new URL(address).host;
  const command = [proxy, '-listen', `127.0.0.1:${port}`, '-target', target, '-rtt', `${ms}ms`];
  const daemon = workspace.start(`delay-${ms}`, command);
  await workspace.waitFor(daemon, 'it listened', () => accepts(port));
  return `https://127.0.0.1:${port}`;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

const nameOf = (contender: 'vault-env' | 'floor', load: Load, login: Login, distance: number): string =>
  `${contender}, ${load.name}, ${login}, ${distance} ms`;

/** Every load by every login at every distance; without references there is no login and no distance. */
function rowsOf({ loads }: Pick<Stage, 'loads'>): readonly { readonly load: Load; readonly login: Login }[] {
  return loads.flatMap((load) =>
    (load.values.length === 0 ? (['token'] as const) : (['token', 'JWT'] as const)).map((login) => ({ load, login })),
  );
}

function casesOf(stage: Stage): Case[] {
  return rowsOf(stage).flatMap(({ load, login }) =>
    DISTANCES_MS.slice(0, load.values.length === 0 ? 1 : undefined).flatMap((distance, at) => {
      const address = stage.addresses[at] ?? '';
      const values = load.values.map((value, n) => `V${n}=${value}`);
      const contender = (name: 'vault-env' | 'floor', argv: readonly string[], env: readonly string[]): Case => ({
        name: nameOf(name, load, login, distance),
        argv: [...argv, '/bin/true'],
        env: [...env, ...values],
        warm: WARM_RUNS,
      });
      return [
        contender('floor', [stage.floor], floorEnvironment(stage, login, address)),
        contender('vault-env', [vaultEnv, '--'], vaultEnvironment(stage, login, address)),
      ];
    }),
  );
}

function floorEnvironment({ token, jwt, ca }: Stage, login: Login, address: string): string[] {
  const how = login === 'token' ? [`VAULT_TOKEN=${token}`] : [`VAULT_JWT_FILE=${jwt}`, 'VAULT_ROLE=bench'];
  return [`VAULT_ADDR=${address}`, `VAULT_CACERT=${ca}`, `FLOOR_TRANSIT_KEY=${KEY}`, ...how];
}

/** A token comes from the variables of Bank-Vaults: no policy has one. */
function vaultEnvironment({ token, jwt, ca }: Stage, login: Login, address: string): string[] {
  if (login === 'token') {
    return [`VAULT_ADDR=${address}`, `VAULT_CACERT=${ca}`, `VAULT_TRANSIT_KEY_ID=${KEY}`, `VAULT_TOKEN=${token}`];
  }
  const auth = { method: 'JWT', mountPath: 'jwt', role: 'bench', tokenPath: jwt };
  const config = {
    vault: { address, tls: { caFile: ca }, auth },
    environment: { transit: { keyID: KEY } },
    process: { revokeToken: login === 'JWT' },
  };
  return [`VAULT_ENV_CONFIG=${JSON.stringify(config)}`];
}

/** The cases take turns, so that a noisy second hits all of them alike. */
function time(wraprun: string, scratch: string, cases: readonly Case[], rssRuns: number, runs = RUNS): Timed[] {
  const file = join(scratch, 'cases.json');
  writeFileSync(file, JSON.stringify(cases));
  const args = ['-cases', file, '-n', String(runs), '-rss', String(rssRuns)];
  return JSON.parse(execFileSync(wraprun, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })) as Timed[];
}

/** GNU time reports peak memory; not every machine has it. */
function hasTime(): boolean {
  return existsSync('/usr/bin/time');
}

/** Counts what Vault itself writes into its audit log during one run of vault-env. */
async function requestsSeen(vault: Vault, scratch: string, cases: readonly Case[]): Promise<Map<string, number>> {
  const log = join(scratch, 'audit.log');
  await vault.api('POST', 'sys/audit/file', { type: 'file', options: { file_path: log } });
  const requests = (): number => readFileSync(log, 'utf8').split('"type":"request"').length - 1;
  const seen = new Map<string, number>();
  for (const { name, argv, env } of cases.filter((one) => /^vault-env.* 0 ms$/.test(one.name))) {
    const before = requests();
    const [program = '', ...args] = argv;
    execFileSync(program, args, {
      env: Object.fromEntries(env.map((one) => one.split(/=(.*)/s, 2))) as NodeJS.ProcessEnv,
    });
    seen.set(name, requests() - before);
  }
  await vault.api('DELETE', 'sys/audit/file');
  return seen;
}

function report(stage: Stage, timed: ReadonlyMap<string, Timed>, seen: ReadonlyMap<string, number>): string {
  const cell = (load: Load, login: Login, distance: number): string => {
    const [subject, least] = [
      timed.get(nameOf('vault-env', load, login, distance)),
      timed.get(nameOf('floor', load, login, distance)),
    ];
    if (subject === undefined || least === undefined) return '–';
    const ratio = fixed(subject.medianMs / least.medianMs, 2);
    return `${fixed(subject.medianMs)} / ${fixed(least.medianMs)} = ${ratio}`;
  };
  const rows = rowsOf(stage).map(({ load, login }) => {
    const near = nameOf('vault-env', load, login, 0);
    const rss = timed.get(near)?.rssMedianKiB;
    return [
      load.name,
      load.values.length === 0 ? 'none' : login,
      ...DISTANCES_MS.map((distance) => cell(load, login, distance)),
      seen.get(near) ?? 0,
      rss === undefined ? 'not measured' : fixed(rss / 1024),
    ];
  });
  const head = [
    '`vault-env true`',
    'login',
    ...DISTANCES_MS.map((ms) => `Vault ${ms} ms away`),
    'requests',
    'RSS, MiB',
  ];
  const size = (path: string): string => fixed(statSync(path).size / 1e6, 2);
  const failed = [...timed.values()].reduce((sum, one) => sum + one.failed, 0);
  const notes = [
    `Cells: median of vault-env / median of the floor = ratio, ms, of ${RUNS} runs each in turns; ${failed} runs failed.`,
    'With a JWT, vault-env also looks up its token, revokes it and waits for that, which are two of the requests; the floor does not.',
    `vault-env is ${size(vaultEnv)} MB, the floor ${size(stage.floor)} MB; a bare Go program takes ${fixed(timed.get('hello')?.medianMs ?? NaN)} ms.`,
  ];
  return `${table([head, ...rows])}\n\n${notes.join(' ')}\n`;
}
