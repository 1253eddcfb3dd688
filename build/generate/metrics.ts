/** docs/reference/metrics.md from the metrics that the operator registers. */
import { pino } from 'pino';
import { Registry as Register } from 'prom-client';

import { KINDS } from '../../core/kinds.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { systemClock } from '../../kube/clock.ts';
import { OutageLog } from '../../kube/outage-log.ts';
import { PooledKubeConfig } from '../../kube/kube-config.ts';
import { NO_TRACER } from '../../kube/tracer.ts';
import { WatchAges } from '../../kube/watch-ages.ts';
import { compose } from '../../operator/composition/compose.ts';
import { readSettings } from '../../operator/settings.ts';
import { formatted } from './format.ts';
import { table } from './table.ts';

export const METRICS_FILE = 'docs/reference/metrics.md';

const INTRODUCTION = `# Metrics

The operator answers \`GET /metrics\` in Prometheus' text format on the address of \`--health-host\` and \`--health-port\`
([settings.md](settings.md)), without TLS and without authentication. No label holds the name of an object or of a
namespace, so the number of series does not grow with the cluster. [monitoring.md](../guides/monitoring.md) says how to
scrape them, and which alerts and which dashboard there are.

Every replica has metrics of its own:

- Counters and histograms: add them up over replicas. What only the leader does, only its counters show:
  \`vault_injection_repairs_total\`, \`vault_injection_requests_total\`, \`vault_injection_events_total\`,
  \`vault_injection_webhook_probes_total\`, \`vault_injection_rotation_polls_total\` and
  \`vault_injection_rotation_logins_total\`. They stay where they are in a replica that no longer leads.
- Gauges that every replica has for the whole cluster: take the largest. These are \`vault_injection_policy_condition\`,
  \`vault_injection_rules\`, \`vault_injection_workloads\`, \`vault_injection_workloads_not_adopted\`,
  \`vault_injection_rolling_workloads\` and \`vault_injection_waiting_policies\`.
- \`vault_injection_webhook_reachable\` is there in the leader alone, and \`vault_injection_leader\` is 1 there and 0 elsewhere.
- All other gauges are about the replica itself.

Series whose labels have few values are there from the start, with 0.

Beside those below there are the metrics of the process that \`prom-client\` collects by default (\`process_*\` and
\`nodejs_*\`: CPU, memory, event loop, garbage collection).

This page is generated from the metrics that the operator registers.
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

/** The whole operator, made and never started: every part has registered its metrics by then, wherever it does so. */
function allMetrics(): readonly Metric[] {
  const settings = readSettings([], {});
  if (settings === 'help') throw new Error('unreachable: nobody asked for help');
  const kubeConfig = new PooledKubeConfig();
  const nowhere = { name: 'none', server: 'https://none.invalid', skipTLSVerify: false };
  kubeConfig.loadFromClusterAndUser(nowhere, { name: 'none' });
  const clientWithin = (): ApiClient => new ApiClient({ kubeConfig, userAgent: 'none' });
  const register = new Register();
  const logger = pino({ enabled: false });
  compose({
    settings,
    kinds: KINDS,
    kubeConfig,
    client: clientWithin(),
    clientWithin,
    register,
    clock: systemClock,
    random: Math.random,
    logger,
    outages: new OutageLog({ clock: systemClock, logger }),
    watchAges: new WatchAges(),
    tracer: NO_TRACER,
    labels: {},
  });
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
