import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

import { OWN_KEYS } from '../../core/own-objects.ts';
import type { Part } from '../../kube/group.ts';
import { IdentityLeases } from '../../kube/identity-lease.ts';
import type { Leadership } from '../../kube/leader-election.ts';
import { PassLoop } from '../../kube/pass-loop.ts';
import { whileLeading } from '../../kube/while-leading.ts';
import { Replicas } from '../replicas/replicas.ts';
import type { Context } from './context.ts';
import { OPERATOR_NAME } from './context.ts';

// Two attempts fit into the ten seconds between two renewals.
const LEASE_TIMEOUT_MS = 4_000;
const SWEEP_MS = 60_000;
// What readiness depends on is looked at so often; the Lease is written only when something has changed.
const LOOK_MS = 1_000;

/** Returns a name of this process that no other one has. A pod's host name is its name. */
export function createIdentity(): string {
  return `${hostname()}_${randomUUID()}`;
}

/** `policies` returns the resourceVersion up to which the rules of policies are in force; '' if they are not loaded. */
export function createReplicas(context: Context, identity: string, policies: () => string): Replicas {
  const leases = new IdentityLeases({
    ...context,
    client: context.clientWithin(LEASE_TIMEOUT_MS),
    namespace: context.settings.namespace,
    identity,
    namePrefix: `${OPERATOR_NAME}-replica-`,
    label: OWN_KEYS.replica,
    annotation: OWN_KEYS.state,
    fieldManager: OPERATOR_NAME,
  });
  return new Replicas({ leases, identity, policies, clock: context.clock });
}

/** Returns the part by which the leader deletes the Leases of replicas that are long gone. */
export function sweepingOf(context: Context, leader: Leadership, replicas: Replicas): Part {
  const loop = new PassLoop({
    ...context,
    what: 'deleting the Leases of replicas that are gone',
    pass: async () => {
      await replicas.sweep();
      return undefined;
    },
    everyMs: SWEEP_MS,
    gapMs: 0,
  });
  const part = { name: 'replicas that are gone', start: () => loop.start(), stop: () => loop.stop() };
  return whileLeading(leader, part, context.logger);
}

/** Returns the part that tells the other replicas whether reviews may be sent to this one. */
export function tellingReadiness(context: Context, replicas: Replicas, isReady: () => boolean): Part {
  const loop = new PassLoop({
    ...context,
    what: 'telling readiness',
    pass: () => {
      replicas.publish({ ready: isReady() });
      return Promise.resolve(undefined);
    },
    everyMs: LOOK_MS,
    gapMs: 0,
  });
  return {
    name: 'readiness',
    start: () => loop.start(),
    stop: async () => {
      await loop.stop();
      replicas.publish({ ready: false });
    },
  };
}
