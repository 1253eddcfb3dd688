/** docs/reference/metrics.md from the metrics themselves, each registered as in the operator. */
import { Registry as Register } from 'prom-client';

import { createLeaderMetrics, createOperatorMetrics } from '../../operator/metrics.ts';
import { createRotationMetrics } from '../../operator/rotation/metrics.ts';
import { createWorkloadMetrics, type WorkloadFigures } from '../../operator/workloads/metrics.ts';
import { createImageMetrics } from '../../webhook/image-config/metrics.ts';
import { createWebhookMetrics, type WebhookFigures } from '../../webhook/metrics.ts';
import { createSourceMetrics } from '../../webhook/sources/metrics.ts';
import { formatted } from './format.ts';
import { table } from './table.ts';

export const METRICS_FILE = 'docs/reference/metrics.md';

const INTRODUCTION = `# Metrics

The operator answers \`GET /metrics\` in Prometheus' text format on the address of \`--health-host\` and \`--health-port\`
([settings.md](settings.md)), without TLS and without authentication. No label holds the name of an object or of a
namespace, so the number of series does not grow with the cluster. Every replica has metrics of its own: add up counters
over replicas; of what only the leader does, the other replicas count nothing.

Beside those below there are the metrics of the process that \`prom-client\` collects by default (\`process_*\` and
\`nodejs_*\`: CPU, memory, event loop, garbage collection).

This page is made from the code that makes the metrics (\`metrics.ts\` in \`operator/\` and \`webhook/\`).
`;

/** What prom-client's types leave out of a metric. */
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}

// without those of the process, which prom-client documents
const PREFIX = 'vault_injection_';

/** Figures by any name: nothing scrapes, so none is read. */
const figures = new Proxy({}, { get: () => () => 0 }) as WebhookFigures & WorkloadFigures;

function allMetrics(): readonly Metric[] {
  const register = new Register();
  const none = (): number => 0;
  const webhook = createWebhookMetrics(register);
  webhook.show(figures);
  webhook.watchInFlight(none);
  createOperatorMetrics(register).show(none);
  createLeaderMetrics(register, () => true);
  createRotationMetrics(register);
  createWorkloadMetrics(register, figures);
  createImageMetrics(register).watchSize(none);
  createSourceMetrics(register).watchSize(none);
  return register.getMetricsAsArray() as unknown as readonly Metric[];
}

/** Resolves with the page as Markdown. */
export function metricsPage(): Promise<string> {
  const rows = allMetrics()
    .filter(({ name }) => name.startsWith(PREFIX))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, labelNames = [], help }) => [
      `\`${name}\``,
      type,
      labelNames.map((label) => `\`${label}\``).join(', '),
      help,
    ]);
  return formatted(METRICS_FILE, `${INTRODUCTION}\n${table(['name', 'type', 'labels', 'help'], rows)}\n`);
}
