/**
 * Everything that is made of a source and checked in:
 *
 *     node build/generate/index.ts           writes the files
 *     node build/generate/index.ts --check   exits with 1 if one is stale, and names it
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { GO_DEFAULTS_FILE, goDefaults } from './go-defaults.ts';
import { policyTypes, TYPES_FILE } from './policy-types.ts';
import { reasonsPage, REASONS_FILE } from './reasons.ts';

export interface Generated {
  /** From the root of the repository. */
  readonly file: string;
  /** The text that it ought to have. */
  readonly text: () => string | Promise<string>;
}

const root = join(import.meta.dirname, '../..');

export const GENERATED: readonly Generated[] = [
  { file: TYPES_FILE, text: policyTypes },
  ...(existsSync(join(root, dirname(GO_DEFAULTS_FILE))) ? [{ file: GO_DEFAULTS_FILE, text: goDefaults }] : []),
  { file: REASONS_FILE, text: reasonsPage },
];

/** Whether the file is not there, or has another text than it ought to have. */
export async function isStale({ file, text }: Generated): Promise<boolean> {
  const path = join(root, file);
  return !existsSync(path) || readFileSync(path, 'utf8') !== (await text());
}

async function write({ file, text }: Generated): Promise<void> {
  writeFileSync(join(root, file), await text());
}

if (import.meta.main) {
  const stale: Generated[] = [];
  for (const generated of GENERATED) if (await isStale(generated)) stale.push(generated);
  if (!process.argv.includes('--check')) {
    for (const generated of stale) await write(generated);
  } else if (stale.length > 0) {
    console.error(`stale: ${stale.map(({ file }) => file).join(', ')}; run node build/generate/index.ts`);
    process.exitCode = 1;
  }
}
