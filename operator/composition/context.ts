import { Registry as Register } from 'prom-client';

import { kindsWith } from '../../core/added-kinds.ts';
import { parseDuration } from '../../core/duration.ts';
import type { Kinds } from '../../core/kinds.ts';
import { ApiClient } from '../../kube/api-client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Part } from '../../kube/group.ts';
import type { PooledKubeConfig } from '../../kube/kube-config.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import type { Logger } from '../../kube/log.ts';
import { OutageLog } from '../../kube/outage-log.ts';
import type { Tracer } from '../../kube/tracer.ts';
import { WatchAges } from '../../kube/watch-ages.ts';
import type { Settings } from '../settings.ts';
import { hintOf } from './hints.ts';
import { NO_TRACING } from './tracing.ts';
import type { OperatorTracing } from './tracing.ts';

/** The name of the process: to API servers and registries, in events, leases and labels. */
export const OPERATOR_NAME = 'vault-injection-operator';

/** Labels of every object that the operator owns. */
export const OPERATOR_LABELS: Readonly<Record<string, string>> = {
  'app.kubernetes.io/name': OPERATOR_NAME,
  'app.kubernetes.io/managed-by': OPERATOR_NAME,
};

/** What all parts are created with. */
export interface Context {
  readonly settings: Settings;
  /** All kinds of workloads that this operator knows. */
  readonly kinds: Kinds;
  readonly kubeConfig: PooledKubeConfig;
  /** Waits as long as API servers may take to answer. */
  readonly client: ApiClient;
  /** Returns a client that gives up after so many milliseconds: for calls that somebody waits for. */
  readonly clientWithin: (timeoutMs: number) => ApiClient;
  /** For metrics. */
  readonly register: Register;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** One for all parts: what several of them need and nobody has installed is told once. */
  readonly outages: OutageLog;
  /** Of all watches of the process. */
  readonly watchAges: WatchAges;
  /** Records spans, or does nothing. */
  readonly tracer: Tracer;
  /** What has to be stopped so that the last spans are exported; left out if nothing records them. */
  readonly traces?: Part;
  /** Labels of every object that the operator owns. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Throws KubeConfigError. */
export function createContext(
  settings: Settings,
  outside: Pick<Context, 'clock' | 'random' | 'logger'>,
  { tracer, part }: OperatorTracing = NO_TRACING,
): Context {
  const kubeConfig = loadKubeConfig({ file: settings.kubeconfig, context: settings.context, clock: outside.clock });
  const clientWithin = (timeoutMs?: number): ApiClient =>
    new ApiClient({ kubeConfig, userAgent: OPERATOR_NAME, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  const { clock, logger } = outside;
  return {
    ...outside,
    outages: new OutageLog({ clock, logger, explain: (error) => hintOf(error, settings) }),
    watchAges: new WatchAges(),
    tracer,
    ...(part && { traces: part }),
    settings,
    kinds: kindsWith(settings.templates),
    kubeConfig,
    client: clientWithin(),
    clientWithin,
    register: new Register(),
    labels: OPERATOR_LABELS,
  };
}

/**
 * Returns the milliseconds of a duration in the settings. Throws if it is not one; validated settings never have such.
 */
export function milliseconds(duration: string): number {
  const ms = parseDuration(duration);
  if (ms === undefined) throw new Error(`unreachable: the settings hold only durations that can be read`);
  return ms;
}
