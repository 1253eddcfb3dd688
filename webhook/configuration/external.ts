import { equal } from '../../core/json.ts';
import { certificateBlocks } from '../../core/pem.ts';
import { SECRET_NAME } from '../certificates/secret.ts';
import { rowOf } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { buildEntry, CONFIGURATION_NAME, ENTRY_NAMES, hasPath, tokenOf, WORKLOAD_ENTRIES } from './configuration.ts';
import type { Entry, WebhookConfiguration, WebhookEntry, WebhookTarget } from './configuration.ts';
import { UNGUARDED } from '../paths/path.ts';
import { describeTerm, excludingTerm, narrowingOf } from './narrowing.ts';
import { bundleIn, ownEntries } from './observed.ts';
import { kindsIn } from './workload-rules.ts';

/** What is missing in a MutatingWebhookConfiguration that the installer keeps. Pure. */

export interface Demand {
  readonly observed: WebhookConfiguration | undefined;
  readonly target: WebhookTarget;
  /** PEM of the authorities that API servers should trust, the one in use first. */
  readonly ownBundle: string;
  readonly entry: Entry;
  readonly namespace: string;
  readonly kind: WorkloadKind;
  /** All kinds that the operator knows; default: those that are built in. */
  readonly table?: Kinds | undefined;
  /** Undefined: not known. */
  readonly labels: Readonly<Record<string, string>> | undefined;
}

const KEPT = 'the webhook configuration is kept by the installer (--webhook-configuration External)';

/** Returns what keeps the namespace's workloads of the kind from being sent here, in words; undefined: nothing. */
export function lackOf(demand: Demand): string | undefined {
  const lack = lackIn(demand);
  return lack && `${KEPT}, and ${lack}`;
}

function lackIn(demand: Demand): string | undefined {
  const { observed, entry, kind, table } = demand;
  if (observed === undefined) return `there is no MutatingWebhookConfiguration ${CONFIGURATION_NAME}`;
  const [first, ...others] = ownEntries(observed, entry);
  if (first === undefined) return `it has no entry ${ENTRY_NAMES[entry]}`;
  const all = [first, ...others];
  const covering = all.filter(({ rules }) => kindsIn(rules, table).includes(kind));
  if (covering.length === 0) {
    const { plural } = rowOf(kind, table).resource;
    return `its ${all.length === 1 ? 'entry' : 'entries'} ${all.map(({ name }) => name).join(', ')} lack${all.length === 1 ? 's' : ''} ${plural}`;
  }
  const lacks = covering.map((found) => lackOfEntry(found, demand));
  return lacks.includes(undefined) ? undefined : lacks[0];
}

function lackOfEntry(
  found: WebhookEntry,
  { target, ownBundle, entry, namespace, labels, table }: Demand,
): string | undefined {
  const { name } = found;
  const caBundle = bundleIn(found.clientConfig);
  const [authority = ''] = certificateBlocks(ownBundle);
  if (!certificateBlocks(caBundle).includes(authority))
    return `the caBundle of its entry ${name} lacks the CA in ca.crt of the Secret ${SECRET_NAME}`;
  if (!hasPath(found.clientConfig))
    return `its entry ${name} lacks the path /mutate/TOKEN/${entry} with the token in path-token of the Secret ${SECRET_NAME}`;
  // whatever path it has, with a token or without, is answered
  const token = tokenOf(found.clientConfig, target, entry) ?? UNGUARDED;
  const built: WebhookEntry = {
    ...buildEntry(entry, { target, caBundle, token, kinds: kindsIn(found.rules, table), namespaces: [], name, table }),
    namespaceSelector: {},
  };
  const narrowing = narrowingOf(found, built);
  if (narrowing === undefined) {
    const fields = [...new Set([...Object.keys(built), ...Object.keys(found)])].filter(
      (key) => key !== 'namespaceSelector' && !equal(found[key], built[key]),
    );
    return `its entry ${name} differs from config/external-webhook in ${fields.join(', ')}`;
  }
  const term = excludingTerm(narrowing, namespace, labels);
  return term && `its entry ${name} leaves out namespace ${namespace}: it selects ${describeTerm(term)}`;
}

/** Returns how many authorities of `ownBundle` some entry for workloads does not trust. */
export function untrustedAuthorities(observed: WebhookConfiguration | undefined, ownBundle: string): number {
  const blocks = certificateBlocks(ownBundle);
  const entries = WORKLOAD_ENTRIES.flatMap((entry) => (observed === undefined ? [] : ownEntries(observed, entry)));
  const bundles = entries.map(({ clientConfig }) => certificateBlocks(bundleIn(clientConfig)));
  return blocks.filter((block) => bundles.some((trusted) => !trusted.includes(block))).length;
}
