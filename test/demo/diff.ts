import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** Returns the unified diff of two values as YAML, by the system's diff; '' if they are the same. */
export function unifiedDiff(before: unknown, after: unknown, names: { from: string; to: string }): string {
  const folder = mkdtempSync(join(tmpdir(), 'vault-injection-diff-'));
  try {
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    // one line for one value: what changed is then one line, too
    writeFileSync(from, stringify(before, { lineWidth: 0 }));
    writeFileSync(to, stringify(after, { lineWidth: 0 }));
    const labels = ['--label', names.from, '--label', names.to];
    const { stdout, error } = spawnSync('diff', ['-U', '3', ...labels, from, to], { encoding: 'utf8' });
    if (error !== undefined) throw new Error(`the program diff could not be run: ${error.message}`);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
