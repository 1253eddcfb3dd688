/** docs/reference/annotations.md. */
import { ANNOTATION_PREFIX, ANNOTATIONS } from '../../core/injection/annotations.ts';
import { POLICY_LABEL } from '../../core/injection/policy-label.ts';
import { formatted } from './format.ts';
import { table } from './table.ts';

export const ANNOTATIONS_FILE = 'docs/reference/annotations.md';

const INTRODUCTION = `# Annotations

All annotations begin with \`${ANNOTATION_PREFIX}\`. Those that users set are read from the workload and from its pod template; where
both have one, that of the template counts. One that is unknown, that the policy does not allow or whose value cannot be
read changes nothing, and \`kubectl apply\` shows a warning that says why.

What a policy has to allow is listed in its \`spec.overrides.allow\`; \`spec.overrides.roles\` further limits \`role\`. No
annotation can change the address of Vault, its auth mount, the TLS settings or the image of vault-env.
`;

const ON_THE_SECRET = `## On the Secret of the webhook's certificates

The operator replaces the CA of its webhook by itself when two thirds of its life have passed, and the token in the path
of the webhook every day. To have both replaced now, for example because somebody may have read them, give the annotation \`${ANNOTATION_PREFIX}renew\` a new value:

\`\`\`sh
kubectl annotate secret vault-injection-operator-webhook -n vault-injection-system --overwrite \\
  ${ANNOTATION_PREFIX}renew="$(date)"
\`\`\`

The operator writes the value into \`${ANNOTATION_PREFIX}renewed\` when it has created the new CA, so that it happens once
for each value. A few minutes later it is the only one that API servers trust, and only the new path is answered; no review
fails meanwhile.
`;

const LABEL = `## The label of injected pods

Admission gives every pod template that it injects the label \`${POLICY_LABEL}\` with the name of the policy, so
its pods can be selected:

\`\`\`sh
kubectl get pods --all-namespaces -l ${POLICY_LABEL}
kubectl get pods -n shop -l ${POLICY_LABEL}=shop
\`\`\`

The name of a policy may be longer than the value of a label: one of more than 63 characters is cut, with a hash at its
end. A label of that key in your manifest stays yours: admission neither changes nor removes it. Do not choose a policy
with it; that is what the annotation \`policy\` is for. Workloads that were injected by an earlier version of the operator
get the label when their template changes for another reason.
`;

const PLACES = { Workload: 'workload', Template: 'pod template' } as const;
const SETTERS = { User: 'people', Admission: 'admission', Operator: 'the operator' } as const;

/** Resolves with the page as Markdown. */
export function annotationsPage(): Promise<string> {
  const rows = Object.entries(ANNOTATIONS).map(([name, { on, setBy, says, example, override }]) => [
    `\`${name}\``,
    on.map((place) => PLACES[place]).join(', '),
    SETTERS[setBy],
    override === undefined ? '' : `\`${override.allow}\``,
    says,
    `\`${example}\``,
  ]);
  const heads = ['name', 'on', 'set by', 'to be allowed', 'meaning', 'example'];
  return formatted(ANNOTATIONS_FILE, `${INTRODUCTION}\n${table(heads, rows)}\n\n${LABEL}\n${ON_THE_SECRET}`);
}
