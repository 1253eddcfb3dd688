import { asObject } from '../../core/json.ts';
import type { RawObject } from '../../core/json.ts';

const KIND = 'VaultInjectionPolicy';

/** Returns the schema of a policy in what an API server publishes (/openapi/v3/apis/GROUP/VERSION); undefined: none. */
export function schemaOfServer(document: unknown): RawObject | undefined {
  const schemas = asObject(asObject(asObject(document)?.components)?.schemas) ?? {};
  return Object.values(schemas)
    .map(asObject)
    .find((schema) => {
      const kinds = schema?.['x-kubernetes-group-version-kind'];
      return Array.isArray(kinds) && kinds.some((kind) => asObject(kind)?.kind === KIND);
    });
}
