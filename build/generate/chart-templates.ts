/**
 * The templates of the chart that are made from the kustomize base: CRD, rights and admission policies have one source
 * each, and stay readable in the chart, comments included (docs/adr/0032-one-source-for-kustomize-and-helm.md). What
 * differs from cluster to cluster, such as the Deployment, is written by hand beside them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Generated } from './generated.ts';

const root = join(import.meta.dirname, '../..');

interface Template {
  readonly file: string;
  /** From the root of the repository. */
  readonly sources: readonly string[];
  /** When it is rendered, as a Go template says it. */
  readonly condition: string;
}

const TEMPLATES: readonly Template[] = [
  { file: 'crd.yaml', sources: ['crds/vaultinjectionpolicies.yaml'], condition: '.Values.crds.enabled' },
  { file: 'rbac-operator.yaml', sources: ['config/rbac/operator.yaml'], condition: '.Values.rbac.create' },
  { file: 'rbac-users.yaml', sources: ['config/rbac/users.yaml'], condition: '.Values.rbac.userRoles' },
  {
    file: 'guard.yaml',
    sources: ['config/guard/workloads.yaml', 'config/guard/objects.yaml', 'config/guard/bindings.yaml'],
    condition: '.Values.guard.enabled',
  },
  {
    file: 'marks.yaml',
    sources: ['config/marks/policy.yaml'],
    condition: 'include "vault-injection-operator.marks" .',
  },
  {
    file: 'warnings.yaml',
    sources: ['config/warnings/policy.yaml', 'config/warnings/binding.yaml'],
    condition: '.Values.warnings.enabled',
  },
];

const included = (name: string): string => `{{ include "vault-injection-operator.${name}" . }}`;

/** Who keeps the webhook configuration: the value, or text that is none. */
const KEEPER = '(toString .Values.settings.webhookConfiguration)';

/** What the chart lets its user choose, each where it stands in the sources. */
const CHOICES: readonly (readonly [where: RegExp, instead: string])[] = [
  // of objects, and of the roles that bindings name; other names of the operator's are fixed
  [/^( {2}(?:name|policyName): )vault-injection-operator(-[a-z-]+)?$/gm, `$1${included('fullname')}$2`],
  // of bindings of roles, and of admission policies
  [/^( {2}- kind: ServiceAccount\n {4}name: )vault-injection-operator$/gm, `$1${included('serviceAccountName')}`],
  [/^( {2}paramRef:\n {4}name: )vault-injection-operator$/gm, `$1${included('serviceAccountName')}`],
  [/^( +resourceNames: \[)vault-injection-operator-vault\]$/gm, `$1${included('vaultServiceAccountName')}]`],
  [/^( +namespace: )vault-injection-system$/gm, '$1{{ .Release.Namespace }}'],
  [
    /^( {2}labels:\n) {4}app\.kubernetes\.io\/name: vault-injection-operator$/gm,
    '$1    {{- include "vault-injection-operator.labels" . | nindent 4 }}',
  ],
  // the right to make the operator's ClusterRole the owner of the webhook configuration, which an installer's has not
  [
    /^((?: {2}# .*\n)*.*\n {4}resources: \[clusterroles\]\n {4}resourceNames: \[)vault-injection-operator(\]\n {4}verbs: .*\n)/gm,
    `  {{- if ne ${KEEPER} "External" }}\n$1${included('fullname')}$2  {{- end }}\n`,
  ],
  // where the installer keeps the webhook configuration, the operator only reads it (config/external-webhook)
  [
    /^( +resources: \[mutatingwebhookconfigurations\]\n(?: +resourceNames: .*\n)? +verbs: )(\[.*\])$/gm,
    `$1{{ if eq ${KEEPER} "External" }}[list, watch]{{ else }}$2{{ end }}`,
  ],
  [
    /^(kind: CustomResourceDefinition\nmetadata:\n)/gm,
    '$1  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n',
  ],
];

/** The files to generate. */
export const chartTemplates: readonly Generated[] = TEMPLATES.map((template) => ({
  file: `config/chart/templates/${template.file}`,
  text: () => textOf(template),
}));

function textOf({ sources, condition }: Template): string {
  const documents = sources.map((source) => templateOf(source, readFileSync(join(root, source), 'utf8')));
  return [
    `{{- /* Made from ${sources.join(', ')} by node build/generate/index.ts. */ -}}`,
    `{{- if ${condition} }}`,
    documents.join('---\n') + '{{- end }}\n',
  ].join('\n');
}

/**
 * Returns the text of a template. Throws if something is left that the chart's user chooses.
 *
 * @param source its path, for the message
 * @param yaml one or more manifests
 */
export function templateOf(source: string, yaml: string): string {
  if (yaml.includes('{{')) throw new Error(`${source} has {{, which Helm would take for its own`);
  const text = CHOICES.reduce((changed, [where, instead]) => changed.replaceAll(where, instead), yaml);
  const manifests = text.split(/^---$/m);
  if (/^\s+namespace: [^{]/m.test(text)) throw new Error(`${source}: a namespace is left`);
  if (!manifests.every((manifest) => manifest.includes('vault-injection-operator.labels')))
    throw new Error(`${source}: an object has no labels that begin with app.kubernetes.io/name`);
  return text;
}
