import type { LookUps } from '../../webhook/look-ups.ts';
import { proxiesOf } from '../../webhook/image-config/http.ts';
import type { ImageLookUp } from '../../webhook/image-config/look-up.ts';
import { createImageLookUp } from '../../webhook/image-config/look-up.ts';
import { createSourceMetrics } from '../../webhook/sources/metrics.ts';
import { sourceReader } from '../../webhook/sources/source-reader.ts';
import { Sources } from '../../webhook/sources/sources.ts';
import type { Context } from './context.ts';
import { milliseconds, OPERATOR_NAME } from './context.ts';

// For reading one ConfigMap or Secret: longer than an admission waits, so that the next one finds it.
const SOURCE_READ_MS = 5_000;

/** What is looked up about a workload: what its images start, and what its ConfigMaps and Secrets contain. */
export interface Answerers {
  readonly images: ImageLookUp;
  readonly sources: Sources;
}

/** Throws the system's error if a file named in the settings cannot be read. */
export function createAnswerers(context: Context): Answerers {
  const { settings, clientWithin, register } = context;
  const images = createImageLookUp({
    ...context,
    ...settings,
    // Secrets are read while a review waits: an unresponsive API server must not use up all of its time.
    client: clientWithin(milliseconds(settings.registryTimeout)),
    userAgent: OPERATOR_NAME,
    proxies: proxiesOf(process.env),
  });
  const sources = new Sources({
    ...context,
    read: sourceReader(clientWithin(SOURCE_READ_MS)),
    metrics: createSourceMetrics(register),
    rereadMs: milliseconds(settings.sourceInterval),
  });
  return { images, sources };
}

/**
 * Returns the look-ups for reviews: each within the time that the settings allow, less what the review has already
 * waited.
 */
export function lookUpsOf({ images: { configs }, sources }: Answerers, { settings }: Context): LookUps {
  const [imagesMs, sourcesMs] = [milliseconds(settings.registryTimeout), milliseconds(settings.sourceTimeout)];
  const left = (ms: number, waitedMs: number): number => Math.max(0, ms - waitedMs);
  return {
    images: {
      known: (namespace, needs) => configs.known(namespace, needs),
      find: (namespace, needs, waitedMs) => configs.find(namespace, needs, left(imagesMs, waitedMs)),
    },
    sources: {
      known: (namespace, needs) => sources.fresh(namespace, needs),
      find: (namespace, needs, waitedMs) => sources.find(namespace, needs, left(sourcesMs, waitedMs)),
    },
  };
}
