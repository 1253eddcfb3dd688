import { Ajv, type ErrorObject } from 'ajv';

import { parseDuration } from '../core/duration.ts';

/** What a setting may be. */
export interface AllowedValues {
  readonly schema: Readonly<Record<string, unknown>>;
  /** For people. */
  readonly allowed: string;
}

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
