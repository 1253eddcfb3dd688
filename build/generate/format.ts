import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';

const root = join(import.meta.dirname, '../..');

/** Resolves with the text as prettier formats it for this file of the repository, by its extension. */
export async function formatted(file: string, text: string): Promise<string> {
  const filepath = join(root, file);
  return format(text, { ...(await resolveConfig(filepath)), filepath });
}

/** Returns Go source formatted by gofmt, which comes with Go. */
export function gofmt(text: string): string {
  return execFileSync('gofmt', { input: text, encoding: 'utf8' });
}
