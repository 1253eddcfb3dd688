import { equal } from '../../core/json.ts';
import { certificateBlocks } from '../../core/pem.ts';
import { SECRET_NAME } from '../certificates/secret.ts';
import { buildEntry, CONFIGURATION_NAME, ENTRY_NAMES, hasPath, tokenOf } from './configuration.ts';
import type { Entry, WebhookConfiguration, WebhookEntry, WebhookTarget } from './configuration.ts';
import { UNGUARDED } from '../paths/path.ts';
import { describeTerm, excludingTerm, narrowingOf } from './narrowing.ts';
import { bundleIn, entryNamed } from './observed.ts';

/** What is missing in a MutatingWebhookConfiguration that the installer keeps. Pure. */

export interface Demand {
  readonly observed: WebhookConfiguration | undefined;
  readonly target: WebhookTarget;
  /** PEM of the authorities that API servers should trust, the one in use first. */
  readonly ownBundle: string;
  readonly entry: Entry;
  readonly namespace: string;
  /** Undefined: not known. */
  readonly labels: Readonly<Record<string, string>> | undefined;
}

const KEPT = 'the webhook configuration is kept by the installer (--webhook-configuration External)';

/** Returns what keeps the workloads of the namespace from being sent here, in words; undefined: nothing. */
export function lackOf(demand: Demand): string | undefined {
  const lack = lackIn(demand);
  return lack && `${KEPT}, and ${lack}`;
}

function lackIn({ observed, target, ownBundle, entry, namespace, labels }: Demand): string | undefined {
  if (observed === undefined) return `there is no MutatingWebhookConfiguration ${CONFIGURATION_NAME}`;
  const name = ENTRY_NAMES[entry];
  const found = entryNamed(observed, name);
  if (found === undefined) return `it has no entry ${name}`;
  const caBundle = bundleIn(found.clientConfig);
  const [authority = ''] = certificateBlocks(ownBundle);
  if (!certificateBlocks(caBundle).includes(authority))
    return `the caBundle of its entry ${name} lacks the CA in ca.crt of the Secret ${SECRET_NAME}`;
  if (!hasPath(found.clientConfig))
    return `its entry ${name} lacks the path /mutate/TOKEN/${entry} with the token in path-token of the Secret ${SECRET_NAME}`;
  // whatever path it has, with a token or without, is answered
  const token = tokenOf(found.clientConfig, target, entry) ?? UNGUARDED;
  const built: WebhookEntry = {
    ...buildEntry(entry, { target, caBundle, token, namespaces: { ignore: [], fail: [] } }),
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
  const entries = (['ignore', 'fail'] as const).flatMap((entry) => {
    const found = observed && entryNamed(observed, ENTRY_NAMES[entry]);
    return found === undefined ? [] : [certificateBlocks(bundleIn(found.clientConfig))];
  });
  return blocks.filter((block) => entries.some((trusted) => !trusted.includes(block))).length;
}
