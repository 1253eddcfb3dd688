/** Everything in config/chart that is made from another source. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { OLDEST_MINOR } from '../../core/kubernetes-versions.ts';
import { CHART_README_FILE, chartReadme } from './chart-readme.ts';
import { CHART_SCHEMA_FILE, chartSchema } from './chart-schema.ts';
import { CHART_SETTINGS_FILE, chartSettings } from './chart-settings.ts';
import { chartTemplates } from './chart-templates.ts';
import type { Generated } from './generated.ts';

const root = join(import.meta.dirname, '../..');

/** Returns Chart.yaml with the version of package.json as that of the chart and of the images, and the oldest Kubernetes. */
function chartFile(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return readFileSync(join(root, 'config/chart/Chart.yaml'), 'utf8')
    .replace(/^version: .*$/m, `version: ${version}`)
    .replace(/^appVersion: .*$/m, `appVersion: ${version}`)
    .replace(/^kubeVersion: .*$/m, `kubeVersion: '>=1.${OLDEST_MINOR}.0-0'`);
}

export const CHART: readonly Generated[] = [
  { file: 'config/chart/Chart.yaml', text: chartFile },
  { file: CHART_SCHEMA_FILE, text: () => chartSchema() },
  { file: CHART_README_FILE, text: () => chartReadme() },
  { file: CHART_SETTINGS_FILE, text: chartSettings },
  {
    file: 'config/chart/files/alerts.yaml',
    text: () => readFileSync(join(root, 'config/alerts/alerts.yaml'), 'utf8'),
  },
  ...chartTemplates,
];
