import { hostname } from 'node:os';

import type { Clock } from '../../kube/clock.ts';
import { describeError } from '../../kube/errors.ts';
import type { Part } from '../../kube/group.ts';
import type { Logger } from '../../kube/log.ts';
import { OutageLog } from '../../kube/outage-log.ts';
import { NO_TRACER } from '../../kube/tracer.ts';
import type { Tracer } from '../../kube/tracer.ts';
import { readTracing } from '../tracing/settings.ts';
import { VERSION } from '../version.ts';

export interface OperatorTracing {
  readonly tracer: Tracer;
  /** Stops last, when nothing starts a span any more; left out where traces are off. */
  readonly part?: Part;
}

/** What there is where no variable asks for traces. */
export const NO_TRACING: OperatorTracing = { tracer: NO_TRACER };

/**
 * Resolves with what records spans, as the variables OTEL_* say. Never rejects: whatever is wrong with traces is logged, and
 * the operator works without them, because admissions depend on it and not on a collector.
 */
export async function createTracing(
  env: NodeJS.ProcessEnv,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<OperatorTracing> {
  const { settings, problems } = readTracing(env);
  for (const advice of problems) logger.warn({ advice }, 'a variable for traces cannot be used as it is');
  if (settings === undefined) return NO_TRACING;
  try {
    const { createSdk } = await import('../tracing/sdk.ts');
    const outages = new OutageLog({ clock, logger });
    const sdk = createSdk({ settings, version: VERSION, instance: hostname(), clock, logger, outages });
    const { protocol, sampler, url } = settings;
    logger.info({ collector: url.origin, protocol, sampler }, 'spans are exported');
    return { tracer: sdk.tracer, part: { name: 'traces', stop: () => sdk.stop() } };
  } catch (error) {
    logger.warn({ error: describeError(error) }, 'traces are off: the SDK of OpenTelemetry could not be started');
    return NO_TRACING;
  }
}
