/** Kinds of other operators, that the setting `templates` adds: what they are in the setting, and their CRDs. */
export interface CustomKind {
  readonly group: string;
  /** Its plural, as in URLs. */
  readonly resource: string;
  readonly kind: string;
}

/** The row of the setting for one whose pod template is in spec.template, and whose rollouts nobody reads. */
export function templateRow({ group, resource, kind }: CustomKind): Record<string, string> {
  return { group, version: 'v1', resource, kind, template: 'spec.template', rollout: 'None' };
}

/** Its CRD, which takes any spec. */
export function crdOf({ group, resource, kind }: CustomKind): Record<string, unknown> & { metadata: { name: string } } {
  const spec = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${resource}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural: resource, singular: kind.toLowerCase() },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}
