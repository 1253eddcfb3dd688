import type { Part } from '../../kube/group.ts';
import type { Leadership } from '../../kube/leader-election.ts';
import { LeaderElection } from '../../kube/leader-election.ts';
import { Listeners } from '../../kube/listeners.ts';
import type { Context } from './context.ts';
import { OPERATOR_NAME } from './context.ts';

// Not the operator's own name, which a kustomize overlay may give a prefix in the rules of config/rbac.
const LEASE_NAME = `${OPERATOR_NAME}-leader`;

// Two attempts fit into the ten seconds in which a leader must have renewed its lease.
const LEASE_TIMEOUT_MS = 4_000;

/**
 * Returns a leader that leads only while `may` holds as well: of two installations in one cluster only one acts.
 * `onMayChange` calls its listener when `may` returns something else.
 */
export function leadingWhile(
  elected: Leadership,
  may: () => boolean,
  onMayChange: (listener: () => void) => void,
): Leadership {
  const listeners = new Listeners<[leading: boolean]>();
  const isLeader = (): boolean => elected.isLeader && may();
  let told = isLeader();
  const follow = (): void => {
    const leading = isLeader();
    if (leading === told) return;
    told = leading;
    listeners.notify(leading);
  };
  elected.onChange(follow);
  onMayChange(follow);
  return {
    get isLeader() {
      return isLeader();
    },
    onChange: (listener) => {
      listeners.add(listener);
    },
  };
}

/**
 * Returns whether this replica leads, and the part that elects: none if the settings say that it is the only replica.
 * `mayLead` returns whether this replica is fit to lead.
 */
export function createLeadership(
  context: Context,
  { identity, mayLead }: { readonly identity: string; readonly mayLead: () => boolean },
): {
  readonly leader: Leadership;
  readonly election: readonly Part[];
} {
  const { settings, clientWithin } = context;
  if (!settings.leaderElection) return { leader: { isLeader: true, onChange: () => undefined }, election: [] };
  const leader = new LeaderElection({
    ...context,
    client: clientWithin(LEASE_TIMEOUT_MS),
    namespace: settings.namespace,
    name: LEASE_NAME,
    identity,
    mayLead,
  });
  return {
    leader,
    election: [{ name: 'leader election', start: () => leader.start(), stop: () => leader.stop() }],
  };
}
