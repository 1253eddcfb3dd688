/** The tables of mistakes in docs/guides/write-a-policy.md, as cases for tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

export const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/guides/write-a-policy.md'), 'utf8');

type Fields = Readonly<Record<string, unknown>>;

/** Returns the rows of the table below a heading, without its first two lines. */
export function rowsOf(heading: string): readonly (readonly string[])[] {
  const section = GUIDE.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** Returns the spec that a cell has as code, with the address that every policy needs. */
export function specIn(cell: string): Fields {
  const spec = parse(`{ ${/^`(.+)`$/.exec(cell)?.[1] ?? 'no: code'} }`) as Fields;
  return { ...spec, vault: { address: 'https://vault.vault.svc:8200', ...(spec.vault as Fields | undefined) } };
}

/** What the API server is to say about a policy. */
export const REFUSED = rowsOf('Mistakes in the policy').map(([cell = '', says = '']) => ({
  what: cell,
  spec: specIn(cell),
  says,
}));

/** What admission is to say about a workload under a policy. */
export const REVIEWED = rowsOf('Mistakes between policy and workload').map(([cell = '', has = '', says = '']) => {
  const code = /^`(.+)`$/.exec(has)?.[1] ?? '';
  const [, key, value] = /^(vaultinjection\.dev\/[\w-]+): (.+)$/.exec(code) ?? [];
  return {
    what: `${cell}, ${has}`,
    spec: specIn(cell),
    annotations: key === undefined ? {} : { [key]: value },
    password: /^(>>)?vault:/.test(code) ? code : 'vault:secret/data/shop/db#password',
    says,
  };
});
