/** The integration test of platforms that edit the webhook configuration, with a minute in which nothing may be written. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { table } from '../bench/table.ts';
import { setting } from './setting.ts';
import { atLeast, never } from './table.ts';
import type { Report } from './table.ts';

const SETTLED_MS = setting('CHAOS_SETTLED_SECONDS', 60) * 1000;
const FILE = 'test/integration/platform-edits.test.ts';
const root = join(import.meta.dirname, '../..');

/** What mocha's json reporter says of a test. */
interface Played {
  readonly fullTitle: string;
  readonly duration?: number;
  readonly err: { readonly message?: string };
}

interface Results {
  readonly tests: readonly Played[];
  readonly passes: readonly Played[];
}

export async function playPlatformEdits(tell: (line: string) => void): Promise<Report[]> {
  tell(`platform-edits: ${FILE}, quiet for ${SETTLED_MS / 1000} s each time`);
  const { tests, passes } = await runMocha();
  const failed = tests.filter(({ err }) => err.message !== undefined);
  const rows = tests.map(({ fullTitle, duration = 0, err }) => [
    fullTitle,
    `${(duration / 1000).toFixed(0)} s`,
    err.message?.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').slice(0, 300) ?? 'holds',
  ]);
  return [
    {
      title: `Platforms that edit the webhook configuration: no write in ${SETTLED_MS / 1000} s`,
      details: table([['what', 'took', 'result'], ...rows]),
      aims: [never('that do not hold', failed.length), atLeast(1, 'that hold', passes.length)],
    },
  ];
}

async function runMocha(): Promise<Results> {
  const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-chaos-'));
  const output = join(scratch, 'results.json');
  const flags = ['--exit', '--reporter', 'json', '--reporter-option', `output=${output}`, FILE];
  const env = { ...process.env, SETTLED_MS: String(SETTLED_MS) };
  try {
    const mocha = spawn('mocha', flags, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env });
    await new Promise<void>((resolve, reject) => {
      mocha.once('error', reject);
      mocha.once('close', () => resolve());
    });
    return JSON.parse(readFileSync(output, 'utf8')) as Results;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
