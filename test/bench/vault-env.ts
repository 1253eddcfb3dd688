/** How long `vault-env true` takes in front of a real Vault over TLS, beside the floor: the least a Go program can do. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startControlPlane } from '../support/control-plane.ts';
import { allowReading, createJwtRole, enableJwtAuth, startVault, writeSecret, type Vault } from '../support/vault.ts';
import { fixed, table } from './table.ts';

const here = import.meta.dirname;
const root = join(here, '../..');
const RUNS = 40;
const RSS_RUNS = 5;
const PATHS = [0, 1, 10, 50];

interface Timed {
  name: string;
  failed: number;
  medianMs: number;
  p90Ms: number;
  cpuMedianMs: number;
  rssMedianKiB?: number;
}

/** Markdown with one table of times and one of requests that Vault saw. */
export async function benchVaultEnv(): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-bench-'));
  const plane = await startControlPlane();
  const vault = await startVault();
  try {
    const floor = goBuild(join(here, 'floor'), scratch, 'floor');
    const hello = goBuild(join(here, 'tools/hello'), scratch, 'hello');
    const wraprun = goBuild(join(here, 'tools/wraprun'), scratch, 'wraprun');
    const vaultEnv = join(root, 'dist/vault-env');
    await enableJwtAuth(vault, plane);
    await allowReading(vault, 'bench', ['secret/data/bench/*']);
    await createJwtRole(vault, 'bench', { policies: ['bench'], audience: 'vault' });
    for (let n = 0; n < Math.max(...PATHS); n++)
      await writeSecret(vault, `secret/data/bench/${n}`, { key: `value-${n}` });
    const jwt = await plane.kubectlOk(['create', 'token', 'default', '--audience', 'vault', '--duration', '2h']);
    const files = { jwt: join(scratch, 'jwt'), ca: join(scratch, 'ca.crt') };
    writeFileSync(files.jwt, jwt.trim(), { mode: 0o600 });
    writeFileSync(files.ca, vault.caPem);
    const cases = PATHS.flatMap((count) => casesOf(count, { floor, vaultEnv, vault, ...files }));
    const timed = wrap(wraprun, scratch, [{ name: 'hello', argv: [hello], env: [], warm: 2 }, ...cases]);
    const seen = await requestsSeen(
      vault,
      scratch,
      cases.filter(({ name }) => name.startsWith('vault-env')),
    );
    return report(timed, seen, [vaultEnv, floor]);
  } finally {
    await vault.stop();
    await plane.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

interface Case {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly warm: number;
}

interface Parts {
  readonly floor: string;
  readonly vaultEnv: string;
  readonly vault: Vault;
  readonly jwt: string;
  readonly ca: string;
}

function casesOf(count: number, { floor, vaultEnv, vault, jwt, ca }: Parts): Case[] {
  const references = Array.from({ length: count }, (_, n) => `V${n}=vault:secret/data/bench/${n}#key`);
  const config = {
    vault: {
      address: vault.tlsAddress,
      tls: { caFile: ca },
      auth: { method: 'JWT', mountPath: 'jwt', role: 'bench', tokenPath: jwt },
    },
  };
  // The floor logs in whenever it is given a JWT: without references it gets none, as vault-env does not log in then.
  const login = count === 0 ? [] : [`VAULT_JWT_FILE=${jwt}`, 'VAULT_ROLE=bench'];
  return [
    {
      name: `floor ${count}`,
      argv: [floor, '/bin/true'],
      env: [`VAULT_ADDR=${vault.tlsAddress}`, `VAULT_CACERT=${ca}`, ...login, ...references],
      warm: 2,
    },
    {
      name: `vault-env ${count}`,
      argv: [vaultEnv, '--', '/bin/true'],
      env: [`VAULT_ENV_CONFIG=${JSON.stringify(config)}`, ...references],
      warm: 2,
    },
  ];
}

function goBuild(folder: string, scratch: string, name: string): string {
  const output = join(scratch, name);
  const env = { ...process.env, CGO_ENABLED: '0' };
  execFileSync('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', output, '.'], { cwd: folder, env });
  chmodSync(output, 0o755);
  return output;
}

function wrap(wraprun: string, scratch: string, cases: readonly Case[]): Timed[] {
  const file = join(scratch, 'cases.json');
  writeFileSync(file, JSON.stringify(cases));
  const rss = hasTime() ? ['-rss', String(RSS_RUNS)] : [];
  const args = ['-cases', file, '-n', String(RUNS), ...rss];
  return JSON.parse(execFileSync(wraprun, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })) as Timed[];
}

/** GNU time gives the peak of memory; not every machine has it. */
function hasTime(): boolean {
  try {
    statSync('/usr/bin/time');
    return true;
  } catch {
    return false;
  }
}

/** Counts what Vault itself writes into its audit log during one run of each case. */
async function requestsSeen(vault: Vault, scratch: string, cases: readonly Case[]): Promise<Map<string, number>> {
  const log = join(scratch, 'audit.log');
  await vault.api('POST', 'sys/audit/file', { type: 'file', options: { file_path: log } });
  const requests = (): number =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"type":"request"')).length;
  const seen = new Map<string, number>();
  for (const { name, argv, env } of cases) {
    const before = requests();
    const [program = '', ...args] = argv;
    execFileSync(program, args, {
      env: Object.fromEntries(env.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)])),
    });
    seen.set(name, requests() - before);
  }
  await vault.api('DELETE', 'sys/audit/file');
  return seen;
}

function report(
  timed: readonly Timed[],
  seen: ReadonlyMap<string, number>,
  [vaultEnv = '', floor = '']: readonly string[],
): string {
  const of = (name: string): Timed =>
    timed.find((one) => one.name === name) ?? { name, failed: 0, medianMs: NaN, p90Ms: NaN, cpuMedianMs: NaN };
  const rows = PATHS.map((count) => {
    const [subject, least] = [of(`vault-env ${count}`), of(`floor ${count}`)];
    const rss = subject.rssMedianKiB === undefined ? 'not measured' : fixed(subject.rssMedianKiB / 1024);
    return [
      count,
      fixed(subject.medianMs, 2),
      fixed(least.medianMs, 2),
      fixed(subject.medianMs / least.medianMs, 2),
      fixed(subject.p90Ms, 2),
      rss,
      seen.get(`vault-env ${count}`) ?? 0,
      subject.failed + least.failed,
    ];
  });
  const head = [
    'paths',
    'vault-env true, ms',
    'floor',
    'ratio',
    'p90 ms',
    'RSS peak MiB',
    'requests Vault saw',
    'failed runs',
  ];
  const size = (path: string): string => fixed(statSync(path).size / 1e6, 2);
  const sizes = `vault-env is ${size(vaultEnv)} MB, the floor ${size(floor)} MB; a bare Go program ended after ${fixed(of('hello').medianMs, 2)} ms.`;
  return `${table([head, ...rows])}\n\n${sizes}\n`;
}
