import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';

const root = join(import.meta.dirname, '../..');

/** The text as prettier has it for this file of the repository, by the file's ending. */
export async function formatted(file: string, text: string): Promise<string> {
  const filepath = join(root, file);
  return format(text, { ...(await resolveConfig(filepath)), filepath });
}

/** Go source as gofmt has it, which comes with Go. */
export function gofmt(text: string): string {
  return execFileSync('gofmt', { input: text, encoding: 'utf8' });
}
