/** Assembles rotation from the operator's settings. */
import type { Registry as Register } from 'prom-client';

import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import type { Authorities } from '../vault/authorities.ts';
import { NodeVaultMetadata } from '../vault/node-vault-metadata.ts';
import { allowedVaults } from './allowed-vaults.ts';
import { createRotationMetrics } from './metrics.ts';
import { ownToken, type TokenIssuer } from './own-token.ts';
import { Rotation } from './rotation.ts';
import { REQUESTS } from './version-poller.ts';

/** Texts as in the operator's settings. */
export interface RotationSettings {
  readonly namespace: string;
  readonly rotationVaults: string;
  readonly rotationRole: string;
  readonly rotationMount: string;
  readonly rotationAudience: string;
  readonly rotationServiceAccount: string;
}

export interface CreateRotationOptions extends RotationSettings {
  readonly client: TokenIssuer;
  readonly authorities: Pick<Authorities, 'of' | 'onChange'>;
  /** For metrics. */
  readonly register: Register;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
}

/** Returns the rotation for the settings. It makes no requests before its start(). */
export function createRotation(options: CreateRotationOptions): Rotation {
  const { client, authorities, register, clock, random, logger, outages } = options;
  const rotation = new Rotation({
    vaults: new NodeVaultMetadata({ connections: REQUESTS }),
    jwt: ownToken(client, {
      namespace: options.namespace,
      serviceAccount: options.rotationServiceAccount,
      audience: options.rotationAudience,
    }),
    role: options.rotationRole,
    mountPath: options.rotationMount,
    isAllowed: allowedVaults(options.rotationVaults),
    authorityOf: authorities.of,
    observer: createRotationMetrics(register),
    clock,
    random,
    logger,
    ...(outages === undefined ? {} : { outages }),
  });
  authorities.onChange((policy) => rotation.authorityChanged(policy));
  return rotation;
}
