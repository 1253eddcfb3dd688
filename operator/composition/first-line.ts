import { describeError } from '../../kube/errors.ts';
import type { Part } from '../../kube/group.ts';
import { serverVersion } from '../../kube/server-version.ts';
import { changedSettings } from '../changed-settings.ts';
import { VERSION } from '../version.ts';
import type { Context } from './context.ts';
import { shownTarget, targetOf } from './webhook-address.ts';

// An API server that is there answers in milliseconds; one that is not must not keep the operator from starting.
const TIMEOUT_MS = 2_000;

/**
 * Returns a part that logs with what the operator starts. Without an answer of the API server it starts without its version.
 * `onVersion` is called with the version, so that nothing else has to ask for it while the operator starts.
 */
export function firstLine(
  { settings, logger, clientWithin }: Pick<Context, 'settings' | 'logger' | 'clientWithin'>,
  onVersion: (version: string) => void = () => undefined,
): Part {
  const start = async (): Promise<void> => {
    const client = clientWithin(TIMEOUT_MS);
    const found = await serverVersion(client).catch((error: unknown) => ({ error }));
    const isFound = typeof found === 'string';
    const kubernetes = isFound ? found : `unknown: ${describeError(found.error)}`;
    const { namespace, injectorImage } = settings;
    const webhook = shownTarget(targetOf(settings));
    const changed = changedSettings(settings);
    logger.info({ version: VERSION, kubernetes, namespace, webhook, injectorImage, settings: changed }, 'starting');
    if (isFound) onVersion(found);
    if (injectorImage === '') logger.warn('no --injector-image: each policy has to set spec.injector.image');
  };
  return { name: 'first line of the log', start };
}
