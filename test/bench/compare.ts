/**
 * `make bench-compare BASE=DIR`: this build beside that of another checkout, in one run, in turns. DIR is a checkout in
 * which `make build` was run, such as a worktree of the commit before. Prints Markdown. Everything stays on loopback.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { compareAdmission } from './admission.ts';
import { describeMachine } from './machine.ts';
import { compareVaultEnv } from './vault-env.ts';

const base = resolve(process.argv[2] ?? '');
const dist = join(base, 'dist');
for (const file of ['operator.mjs', 'vault-env']) {
  if (process.argv[2] !== undefined && existsSync(join(dist, file))) continue;
  console.error(
    `bench: there is no ${join(dist, file)}: write make bench-compare BASE=DIR, a checkout after make build`,
  );
  process.exit(2);
}
console.log(describeMachine());
console.log(await compareVaultEnv(join(dist, 'vault-env')));
console.log(await compareAdmission(dist));
