/**
 * What the revocation of the token costs, and whether it arrives: the same start with and without it, in turns, on each
 * way to Vault, and then how many of 300 tokens live on. BEFORE=FILE adds another executable of vault-env.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { goBuild } from '../../build/tools/go-build.ts';
import { countLeft, startRevocationScene, type Route } from '../support/revocation-scene.ts';
import { fixed, table } from './table.ts';

const here = import.meta.dirname;
const vaultEnv = join(here, '../../dist/vault-env');
const RUNS = 60;
const STARTS = 300;

interface Timed {
  readonly name: string;
  readonly failed: number;
  readonly medianMs: number;
}

/** Markdown with one table. */
export async function benchRevocation(): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-bench-'));
  const scene = await startRevocationScene();
  const before = process.env.BEFORE;
  try {
    const wraprun = join(scratch, 'wraprun');
    await goBuild(join(here, 'tools/wraprun'), '.', wraprun, ['-ldflags=-s -w']);
    const rows: string[][] = [];
    for (const route of scene.routes) {
      const [kept = NaN, revoked = NaN] = await time(wraprun, scratch, route);
      const now = await countLeft(vaultEnv, route, STARTS);
      const then = before === undefined ? undefined : await countLeft(before, route, STARTS);
      rows.push([
        route.name,
        fixed(kept),
        fixed(revoked),
        fixed(revoked - kept),
        fixed(revoked / kept, 2),
        String(now.left),
        then === undefined ? '–' : String(then.left),
        String(now.failed + now.warned),
      ]);
    }
    const head = [
      'way to Vault',
      '`revokeToken: false`, ms',
      'revoked, ms',
      'cost, ms',
      'ratio',
      `left of ${STARTS}`,
      `left of ${STARTS}, before`,
      'failed or warned',
    ];
    const missing = scene.missing.length === 0 ? '' : ` Not installed: ${scene.missing.join(', ')}.`;
    return `${table([head, ...rows])}\n\nMedians of ${RUNS} starts each in turns, of one path.${missing}\n`;
  } finally {
    await scene.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The medians of starts that keep their token, and of those that revoke it. */
async function time(wraprun: string, scratch: string, { name, env }: Route): Promise<number[]> {
  const { VAULT_ENV_CONFIG: config = '{}', ...variables } = env;
  const cases = [false, true].map((revokeToken) => ({
    name: `${name}, ${revokeToken}`,
    argv: [vaultEnv, '--', '/bin/true'],
    env: Object.entries({
      ...variables,
      VAULT_ENV_CONFIG: JSON.stringify({ ...(JSON.parse(config) as object), process: { revokeToken } }),
    }).map(([key, value]) => `${key}=${value}`),
    warm: 2,
  }));
  const file = join(scratch, 'cases.json');
  writeFileSync(file, JSON.stringify(cases));
  // Not in step with this process, which is one of the ways to Vault.
  const { stdout } = await promisify(execFile)(wraprun, ['-cases', file, '-n', String(RUNS)]);
  const timed = JSON.parse(stdout) as Timed[];
  const failed = timed.find((one) => one.failed > 0);
  if (failed !== undefined) throw new Error(`${failed.name}: ${failed.failed} of ${RUNS} starts failed`);
  return timed.map(({ medianMs }) => medianMs);
}
