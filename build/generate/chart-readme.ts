/** config/chart/README.md, which Artifact Hub and `helm show readme` show: how to install, and a table of the values. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

import { chartSchema, type Schema } from './chart-schema.ts';
import { formatted } from './format.ts';
import { table } from './table.ts';

export const CHART_README_FILE = 'config/chart/README.md';

const VALUES = join(import.meta.dirname, '../../config/chart/values.yaml');

const INTRODUCTION = `# Helm chart of the Vault Injection Operator

Puts secrets of HashiCorp Vault or OpenBao into the environment of programs, by policy, without storing them anywhere. The chart
installs one operator for the whole cluster, with its CRD, its rights and what bounds them. The operator itself writes its
certificate and its webhook configuration, so that no upgrade is in conflict with them.

\`\`\`sh
helm install vault-injection-operator CHART --namespace vault-injection-system --create-namespace --wait
helm upgrade vault-injection-operator CHART --namespace vault-injection-system --wait
helm uninstall vault-injection-operator --namespace vault-injection-system --wait
\`\`\`

\`CHART\` is the folder of a checkout (\`config/chart\`), or the address of a released chart. Helm 3 and Helm 4 both work. \`helm
uninstall\` removes everything but the CRD, and with it the policies (\`crds.keep\`).

\`docs/getting-started.md\` in the repository goes from here to a program with a secret; \`docs/guides/install.md\` is about
production.

## Values

A name that is not in this table is refused. This page is made from \`values.yaml\`.
`;

/** Resolves with the page as Markdown. */
export async function chartReadme(yaml = readFileSync(VALUES, 'utf8')): Promise<string> {
  const { properties } = JSON.parse(await chartSchema(yaml)) as { properties: Readonly<Record<string, Schema>> };
  const rows = rowsOf(parse(yaml) as Values, properties, '');
  return formatted(CHART_README_FILE, `${INTRODUCTION}\n${table(['value', 'default', 'why'], rows)}\n`);
}

type Values = Readonly<Record<string, unknown>>;

function rowsOf(values: Values, schema: Readonly<Record<string, Schema>>, above: string): readonly string[][] {
  return Object.entries(values).flatMap(([name, value]) => {
    const path = above + name;
    const { description = '', properties } = (schema[name] ?? {}) as {
      description?: string;
      properties?: typeof schema;
    };
    const inner = isGroup(value) && properties !== undefined ? rowsOf(value, properties, `${path}.`) : [];
    // what has one reason for all of it, such as the resources, is one thing
    const isOne = inner.length === 0 || (description !== '' && inner.every(([, , reason]) => reason === ''));
    if (isOne) return [[`\`${path}\``, `\`${inFlow(value)}\``, description]];
    return [...(description === '' ? [] : [[`\`${path}\``, '', description]]), ...inner];
  });
}

function isGroup(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
}

/** On one line, as it can be copied into a file of values. */
function inFlow(value: unknown): string {
  const text = stringify(value, {
    collectionStyle: 'flow',
    lineWidth: 0,
    singleQuote: true,
    flowCollectionPadding: false,
  });
  return text.trim().replaceAll(/\s*\n\s*/g, ' ');
}
