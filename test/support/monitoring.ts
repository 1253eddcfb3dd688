/** What is shipped for monitoring (alerts, their tests, the dashboard), and the metrics that their expressions name. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');

/** The rule file that is shipped. */
export const ALERTS_FILE = join(root, 'config/alerts/alerts.yaml');

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[];
}

/** The alerts that are shipped, in their order. */
export const ALERTS: readonly AlertRule[] = (parse(readFileSync(ALERTS_FILE, 'utf8')) as RuleFile).groups.flatMap(
  ({ rules }) => rules,
);

/** The tests of the alerts for promtool, by file. */
export const ALERT_TESTS: readonly string[] = globSync('config/alerts/tests/*.yaml', { cwd: root })
  .sort()
  .map((file) => join(root, file));

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** The expressions of the dashboard, with the title of their panel. Grafana's word for a window is a window. */
export function dashboardExpressions(): readonly { readonly title: string; readonly expr: string }[] {
  const { panels } = JSON.parse(readFileSync(join(root, 'config/dashboard/dashboard.json'), 'utf8')) as {
    panels: readonly Panel[];
  };
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ title, expr: expr.replaceAll('$__rate_interval', '5m') })),
  );
}

/** Metrics are named by where they come from, and nothing else in an expression begins like this. */
const NAME = /\b(?:vault_injection|apiserver|process|nodejs)_\w+/g;

/** Returns the names of the metrics in an expression, each once. */
export function metricsIn(expr: string): readonly string[] {
  return [...new Set(expr.match(NAME) ?? [])].sort();
}

/** Returns the names of all series of a scrape in Prometheus' text format. */
export function seriesIn(scrape: string): ReadonlySet<string> {
  return new Set(Array.from(scrape.matchAll(/^([a-zA-Z_:][\w:]*)[{ ]/gm), ([, name = '']) => name));
}
