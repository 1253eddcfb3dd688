/** Whether the operator has the rights of config/rbac, as the API server says. */
import { asObject } from '../../core/json.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { listed } from '../../core/shown.ts';
import { isForbidden } from '../../kube/errors.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { slots } from '../../kube/slots.ts';
import type { Settings } from '../settings.ts';
import { failed, ok, warning } from './report.ts';
import type { Finding } from './report.ts';
import { RULES } from './rights.generated.ts';
import type { Subject } from './subject.ts';

/** One right, as a SubjectAccessReview asks for it; `name` '' is any, `namespace` '' the whole cluster. */
export interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  readonly namespace: string;
}

/** The settings that decide which rights are used, and on what. */
export type RightsSettings = Pick<Settings, 'namespace' | 'webhookConfiguration' | 'vaultIdentities' | 'clusterRole'> &
  Partial<Pick<Settings, 'templates'>>;

/** Returns every right that an operator with these settings uses. */
export function neededRights(settings: RightsSettings): readonly Right[] {
  const added = (settings.templates ?? []).flatMap(({ group, resource }) =>
    ON_WORKLOADS.map((verb) => ({ verb, group, resource, subresource: '', name: '', namespace: '' })),
  );
  const builtIn = RULES.flatMap(({ isOwn, group, resources, names, verbs }) =>
    resources.flatMap((full) => {
      const [resource = '', subresource = ''] = full.split('/');
      const needed = namesOf(full, settings) ?? (names.length === 0 ? [''] : names);
      const namespace = isOwn ? settings.namespace : '';
      const used = full === 'mutatingwebhookconfigurations' ? verbs.filter((verb) => isUsed(verb, settings)) : verbs;
      return needed.flatMap((name) => used.map((verb) => ({ verb, group, resource, subresource, name, namespace })));
    }),
  );
  return [...builtIn, ...added];
}

// As config/rbac grants them for the built-in kinds.
const ON_WORKLOADS = ['get', 'list', 'watch', 'patch'];

/** The names that settings give to objects of a kind: an overlay or a chart may have others. undefined: it gives none. */
function namesOf(resource: string, settings: RightsSettings): readonly string[] | undefined {
  switch (resource) {
    case 'serviceaccounts/token': // without entries the operator asks for no token
      return [...new Set(settings.vaultIdentities.map(({ serviceAccount }) => serviceAccount))];
    case 'clusterroles': // it owns no configuration that somebody else keeps
      return settings.webhookConfiguration === 'Managed' ? [settings.clusterRole] : [];
    default:
      return undefined;
  }
}

/** A configuration that somebody else keeps is only read. */
function isUsed(verb: string, { webhookConfiguration }: Pick<Settings, 'webhookConfiguration'>): boolean {
  return webhookConfiguration === 'Managed' || ['list', 'watch'].includes(verb);
}

const AT_ONCE = 8;

/** Asks the API server for each right. Rejects with ApiError. */
export async function rightsFindings(
  client: Pick<ObjectClient, 'create'>,
  subject: Subject,
  settings: RightsSettings,
): Promise<readonly Finding[]> {
  const rights = neededRights(settings);
  const run = slots({ active: AT_ONCE, activeOfGroup: AT_ONCE, waiting: Infinity }, () => new Error('unreachable'));
  try {
    const allowed = await Promise.all(rights.map((right) => run('', () => isAllowed(client, subject, right))));
    const missing = rights.filter((_, index) => allowed[index] !== true);
    if (missing.length === 0) return [ok(`${subject.name} has all ${rights.length} rights that the operator uses`)];
    return [
      failed(
        `${subject.name} may not ${listed(missing.map(rightText))}`,
        'kubectl apply -k config/rbac grants them to the ServiceAccount that it names (docs/reference/rights.md)',
      ),
    ];
  } catch (error) {
    if (subject.isSelf || !isForbidden(error)) throw error;
    return [
      warning(
        `the rights of ${subject.name} are not known: you may not ask for those of others`,
        `run check as that account: kubectl exec -n ${settings.namespace} deploy/vault-injection-operator -- /node /operator.mjs check`,
      ),
    ];
  }
}

async function isAllowed(client: Pick<ObjectClient, 'create'>, subject: Subject, right: Right): Promise<boolean> {
  const kind = subject.isSelf ? 'SelfSubjectAccessReview' : 'SubjectAccessReview';
  const group = 'authorization.k8s.io';
  const [, , account = ''] = /^(system:serviceaccount):([^:]+):/.exec(subject.name) ?? [];
  const who = subject.isSelf
    ? {}
    : {
        user: subject.name,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${account}`, 'system:authenticated'],
      };
  const answer = await client.create<KubernetesObject>(
    { group, version: 'v1', plural: `${kind.toLowerCase()}s` },
    {
      apiVersion: `${group}/v1`,
      kind,
      metadata: { name: '' },
      spec: { ...who, resourceAttributes: right },
    },
  );
  return asObject(answer.status)?.allowed === true;
}

/** Returns a right as people say it, such as: list deployments.apps; get secrets "x" in namespace y. */
export function rightText({ verb, group, resource, subresource, name, namespace }: Right): string {
  const full = `${[resource, group].filter(Boolean).join('.')}${subresource === '' ? '' : `/${subresource}`}`;
  const which = name === '' ? '' : ` "${name}"`;
  return `${verb} ${full}${which}${namespace === '' ? '' : ` in namespace ${namespace}`}`;
}
