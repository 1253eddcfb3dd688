/** docs/reference/settings.md from the output of the operator's --help. */
import { settingsHelp } from '../../operator/settings.ts';
import { formatted } from './format.ts';
import { table } from './table.ts';

export const SETTINGS_FILE = 'docs/reference/settings.md';

const INTRODUCTION = `# Settings of the operator

Every setting can be given as a flag, as an environment variable or in a YAML file. A flag wins over the environment, the
environment over the file. \`--config FILE\` (or \`VAULT_INJECTION_CONFIG\`) names the file, a mapping with the keys below,
such as \`logLevel: debug\`. Settings are validated at the start: for a value that is not allowed the operator prints what
is allowed, and ends with status 2.

This page is made from \`operator/settings.ts\`. \`npm start -- --help\` prints the same.
`;

interface Setting {
  readonly flag: string;
  readonly help: string;
  readonly fallback: string;
  readonly allowed: string;
  readonly variable: string;
  readonly key: string;
}

const FORM =
  /^ {2}(?<flag>--\S+)\n {6}(?<help>.+)\n {6}default: (?<fallback>.+?); (?<allowed>.+); environment: (?<variable>\S+); file: (?<key>\S+)$/gm;

/** Resolves with the page as Markdown. */
export function settingsPage(): Promise<string> {
  const help = settingsHelp();
  const settings = Array.from(help.matchAll(FORM), ({ groups }) => groups as unknown as Setting);
  // two flags are not settings: --config and --help
  const flags = [...help.matchAll(/^ {2}--/gm)].length - 2;
  if (settings.length !== flags) throw new Error(`--help tells of ${flags} settings, and ${settings.length} are read`);
  const rows = settings.map(({ flag, help, fallback, allowed, variable, key }) => [
    `\`${flag}\``,
    `\`${variable}\``,
    `\`${key}\``,
    fallback === 'empty' ? 'empty' : `\`${fallback}\``,
    allowed,
    help,
  ]);
  const heads = ['flag', 'environment variable', 'key in the file', 'default', 'allowed', 'what it is for'];
  return formatted(SETTINGS_FILE, `${INTRODUCTION}\n${table(heads, rows)}\n`);
}
