import { Ajv, type ErrorObject } from 'ajv';

import { parseDuration } from '../core/duration.ts';

/** What a setting may be. */
export interface AllowedValues {
  readonly schema: Readonly<Record<string, unknown>>;
  /** For people. */
  readonly allowed: string;
}

/** A row of the table of settings. */
export interface SettingSpec extends AllowedValues {
  readonly default: string | number | boolean;
  readonly help: string;
}

// What values look like, as schemas and as parts of their patterns.
export const PORT = { type: 'integer', minimum: 0, maximum: 65535 } as const;
export const DNS_LABEL = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' } as const;
export const DURATION = { type: 'string', format: 'duration-go' } as const;
export const INTERVAL = { type: 'string', format: 'duration-of-interval' } as const;
export const TEXT = { type: 'string' } as const;
export const HOST = '[a-zA-Z0-9.*-]+(:\\d{1,5})?';
export const VAULT_HOST = '(\\[[0-9a-fA-F:.]+\\]|[a-zA-Z0-9.*_-]+)(:\\d{1,5})?';
/** Items separated by commas; none at all is fine. */
export const listOf = (item: string): { type: 'string'; pattern: string } => ({
  type: 'string',
  pattern: `^\\s*(${item}(\\s*,\\s*${item})*)?\\s*$`,
});

// A second less than timeoutSeconds of the webhook configuration, for the network and the review itself.
const LONGEST_WAIT_MS = 4000;

// Zero would ask without a pause; nothing that is asked for changes faster than that.
const SHORTEST_INTERVAL_MS = 1_000;

/** Returns what is wrong with the values of settings, each with the name of the setting. */
export function validate<Name extends string>(
  values: Readonly<Record<string, unknown>>,
  specs: Readonly<Record<Name, AllowedValues>>,
): [name: Name, text: string][] {
  const ajv = new Ajv({ allErrors: true });
  ajv.addFormat('duration-go', { type: 'string', validate: (text: string) => parseDuration(text) !== undefined });
  ajv.addFormat('duration-of-interval', {
    type: 'string',
    validate: (text: string) => (parseDuration(text) ?? 0) >= SHORTEST_INTERVAL_MS,
  });
  ajv.addFormat('duration-of-admission', {
    type: 'string',
    validate: (text: string) => (parseDuration(text) ?? Infinity) <= LONGEST_WAIT_MS,
  });
  const properties = Object.fromEntries(
    Object.entries<AllowedValues>(specs).map(([name, { schema }]) => [name, schema]),
  );
  const check = ajv.compile({ type: 'object', properties });
  if (check(values)) return [];
  return (check.errors ?? []).map((error: ErrorObject) => {
    const name = error.instancePath.slice(1) as Name;
    return [name, `${JSON.stringify(values[name])} is not allowed; write ${specs[name].allowed}`];
  });
}
