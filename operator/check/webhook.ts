/** Whether API servers are told to call the webhook, trust it, and reach it. */
import { parseCertificate } from '../../core/pem.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { coreResource } from '../../core/resources.ts';
import { listed } from '../../core/shown.ts';
import { isForbidden } from '../../kube/errors.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { validityOf } from '../../webhook/certificates/inspect.ts';
import { decodeSet, SECRET_NAME } from '../../webhook/certificates/secret.ts';
import type { Secret } from '../../webhook/certificates/secret.ts';
import { CONFIGURATION_NAME, ENTRY_NAMES, FIELD_MANAGER } from '../../webhook/configuration/configuration.ts';
import type { WebhookConfiguration, WebhookTarget } from '../../webhook/configuration/configuration.ts';
import { findConfiguration } from '../../webhook/configuration/find.ts';
import { otherInstallation, publishedBundle, servedEntries } from '../../webhook/configuration/observed.ts';
import { probeObject, reviewerOf } from '../../webhook/probe/answer.ts';
import { findingOfOne } from '../../webhook/probe/reachability.ts';
import { shownBy, shownByError } from '../../webhook/probe/result.ts';
import { shownTarget } from '../composition/webhook-address.ts';
import { counted, failed, ok, warning } from './report.ts';
import type { Finding } from './report.ts';

const IS_IT_RUNNING = 'is the operator running? kubectl get pods, and its log, say more';

export interface WebhookContext {
  readonly client: Pick<ObjectClient, 'get' | 'list'>;
  /** The operator's own. */
  readonly namespace: string;
  readonly target: WebhookTarget;
  /** Somebody else keeps the configuration. */
  readonly isExternal: boolean;
  /** All kinds that the operator knows. */
  readonly kinds: Kinds;
  /** Those that policies name which are ready, by namespace; rejects with ApiError. */
  readonly readyTargets: () => Promise<ReadonlyMap<string, ReadonlySet<WorkloadKind>>>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Looks at the configuration and at the CA in the Secret. Rejects with ApiError. */
export async function configurationFindings(context: WebhookContext): Promise<readonly Finding[]> {
  const { client, namespace, target, isExternal, kinds: table } = context;
  const observed = await findConfiguration(client);
  if (observed === undefined) {
    const hint = isExternal ? 'kubectl apply -k config/external-webhook' : IS_IT_RUNNING;
    return [failed(`there is no MutatingWebhookConfiguration ${CONFIGURATION_NAME}`, hint)];
  }
  const other = isExternal ? undefined : otherInstallation(observed, namespace);
  if (other !== undefined) {
    return [
      failed(
        `the webhook configuration belongs to the installation in namespace ${other}`,
        `remove one of the two, or set --namespace ${other}`,
      ),
    ];
  }
  const { authority, findings } = await authorityOf(context, observed);
  if (authority === undefined) return findings;
  const targets = await context.readyTargets();
  const namespaces = [...targets.keys()];
  const served = servedEntries(
    observed,
    { target, installation: namespace, table },
    authority,
    isExternal ? namespaces : undefined,
  );
  if (!served.some(({ key }) => key === 'probe')) {
    return [
      ...findings,
      failed(
        `the entry ${ENTRY_NAMES.probe} does not lead to ${shownTarget(target)} with the CA of the operator`,
        'give check the settings that the operator has, such as --webhook-service; else look into the log of the operator',
      ),
    ];
  }
  const absent = [...targets].flatMap(([name, kinds]) => {
    const sending = served.filter((entry) => entry.namespaces.includes(name));
    const missing = [...kinds].filter((kind) => !sending.some((entry) => entry.kinds.includes(kind)));
    if (missing.length === 0) return [];
    return [missing.length === kinds.size ? name : `${name} (${missing.join(', ')})`];
  });
  if (absent.length > 0) {
    return [
      ...findings,
      failed(
        `no entry sends the workloads of ${listed(absent)} to the webhook, although policies there are ready`,
        IS_IT_RUNNING,
      ),
    ];
  }
  return [
    ...findings,
    ok(
      `the webhook configuration leads to ${shownTarget(target)}, for ${counted(namespaces.length, 'namespace', 'namespaces')} with policies`,
    ),
  ];
}

/** Resolves with the certificate of the CA that signs what the webhook serves, as far as one may know. */
async function authorityOf(
  { client, namespace, now }: WebhookContext,
  observed: WebhookConfiguration,
): Promise<{ readonly authority?: string; readonly findings: readonly Finding[] }> {
  let secret: Secret | undefined;
  try {
    secret = await client.get<Secret>(coreResource('Secret', namespace), SECRET_NAME);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    // then only what API servers trust can be compared with itself
    const findings = [
      warning(`whether API servers trust the operator's CA is not known: you may not read the Secret ${SECRET_NAME}`),
    ];
    return { authority: publishedBundle(observed) ?? '', findings };
  }
  if (secret === undefined) {
    return { findings: [failed(`there is no Secret ${SECRET_NAME} in namespace ${namespace}`, IS_IT_RUNNING)] };
  }
  const certificate = decodeSet(secret).current?.certificate;
  const parsed = certificate === undefined ? undefined : parseCertificate(certificate);
  if (certificate === undefined || parsed === undefined) {
    return { findings: [failed(`the Secret ${SECRET_NAME} holds no CA that can be used`, IS_IT_RUNNING)] };
  }
  const { notAfter } = validityOf(parsed);
  const until = new Date(notAfter).toISOString();
  if (notAfter <= now) return { findings: [failed(`the CA of the webhook has expired at ${until}`, IS_IT_RUNNING)] };
  return { authority: certificate, findings: [ok(`the CA of the webhook is valid until ${until}`)] };
}

/**
 * Has the API server call the webhook, with the dry run by which the operator itself finds out. `port` is that of the
 * webhook, if it is known. Never rejects.
 */
export async function reachedFindings(
  client: Pick<ObjectClient, 'apply'>,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  port?: number,
): Promise<readonly Finding[]> {
  let reviewer = '';
  const shown = await client
    .apply(coreResource('ConfigMap', namespace), probeObject(namespace, labels), {
      fieldManager: FIELD_MANAGER,
      dryRun: true,
    })
    .then((created) => {
      reviewer = reviewerOf(created);
      return shownBy(created);
    }, shownByError);
  const finding = findingOfOne(shown, port);
  if (finding === undefined) return [failed(`the API server did not answer the dry run: ${shown.text}`)];
  const { status, message } = finding;
  if (status === 'True') return [ok(`${message}; a dry run was reviewed by ${reviewer}`)];
  return [status === 'False' ? failed(message) : warning(message)];
}
