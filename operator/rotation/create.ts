/** Assembles rotation from the operator's settings. */
import type { Registry as Register } from 'prom-client';

import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import type { Settings } from '../settings.ts';
import { NodeVaultMetadata } from '../vault/node-vault-metadata.ts';
import { createRotationMetrics } from './metrics.ts';
import { accountToken, type TokenIssuer } from './account-token.ts';
import { Rotation } from './rotation.ts';
import { REQUESTS } from './version-poller.ts';

export interface CreateRotationOptions extends Pick<Settings, 'namespace' | 'vaultIdentities'> {
  readonly client: TokenIssuer;
  /** For metrics. */
  readonly register: Register;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
}

/** Returns the rotation for the settings. It makes no requests before its start(). */
export function createRotation(options: CreateRotationOptions): Rotation {
  const { client, namespace, vaultIdentities, register, clock, random, logger, outages } = options;
  return new Rotation({
    vaults: new NodeVaultMetadata({ connections: REQUESTS }),
    jwt: accountToken(client, namespace),
    identities: vaultIdentities,
    observer: createRotationMetrics(register),
    clock,
    random,
    logger,
    ...(outages === undefined ? {} : { outages }),
  });
}
