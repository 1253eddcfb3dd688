/**
 * Everything that is generated and checked in:
 *
 *     node build/generate/index.ts           writes the files
 *     node build/generate/index.ts --check   exits with 1 and names the stale ones
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { annotationsPage, ANNOTATIONS_FILE } from './annotations.ts';
import { architecturePage, ARCHITECTURE_FILE } from './architecture.ts';
import { dashboard, DASHBOARD_FILE } from './dashboard.ts';
import { CHART } from './chart.ts';
import type { Generated } from './generated.ts';
import { GO_DEFAULTS_FILE, goDefaults } from './go-defaults.ts';
import { LOGS_FILE, logsPage } from './logs.ts';
import { metricsPage, METRICS_FILE } from './metrics.ts';
import { olmBundle } from './olm.ts';
import { policyTypes, TYPES_FILE } from './policy-types.ts';
import { reasonsPage, REASONS_FILE } from './reasons.ts';
import { RIGHTS_LIST_FILE, rightsList } from './rights-list.ts';
import { RIGHTS_FILE, rightsPage } from './rights.ts';
import { settingsPage, SETTINGS_FILE } from './settings.ts';
import { tracesPage, TRACES_FILE } from './traces.ts';

const root = join(import.meta.dirname, '../..');

export const GENERATED: readonly Generated[] = [
  { file: TYPES_FILE, text: policyTypes },
  { file: GO_DEFAULTS_FILE, text: goDefaults },
  { file: REASONS_FILE, text: reasonsPage },
  { file: SETTINGS_FILE, text: settingsPage },
  { file: METRICS_FILE, text: metricsPage },
  { file: LOGS_FILE, text: logsPage },
  { file: TRACES_FILE, text: tracesPage },
  { file: RIGHTS_FILE, text: rightsPage },
  { file: RIGHTS_LIST_FILE, text: rightsList },
  { file: ANNOTATIONS_FILE, text: annotationsPage },
  { file: ARCHITECTURE_FILE, text: architecturePage },
  { file: DASHBOARD_FILE, text: dashboard },
  ...CHART,
  ...olmBundle(),
];

/** Whether the file is missing or has another text than it should have. */
export async function isStale({ file, text }: Generated): Promise<boolean> {
  const path = join(root, file);
  return !existsSync(path) || readFileSync(path, 'utf8') !== (await text());
}

async function write({ file, text }: Generated): Promise<void> {
  mkdirSync(dirname(join(root, file)), { recursive: true });
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
