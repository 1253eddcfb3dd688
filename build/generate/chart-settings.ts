/** What the chart knows of the operator's settings: made from the operator's own table, so that no setting is forgotten. */
import { PRESETS } from '../../core/added-kinds.ts';
import { templateFields } from '../../operator/kind-templates.ts';
import { settingSpecs } from '../../operator/settings.ts';
import type { Field } from '../../operator/vault-identities.ts';
import { identityFields } from '../../operator/vault-identities.ts';

export const CHART_SETTINGS_FILE = 'config/chart/files/settings.json';

type Schema = Readonly<Record<string, unknown>>;

/** Settings that the chart writes into the environment, which wins over the file, and what to write in their place. */
export const SET_BY_CHART: Readonly<Record<string, string>> = {
  namespace: '--namespace of helm',
  webhookService: 'fullnameOverride',
  webhookServicePort: 'nothing: the port of the Service is 443',
  webhookPort: 'webhook.port',
  healthPort: 'metrics.port',
  clusterRole: 'fullnameOverride',
  injectorImage: 'injector.image',
  vaultServiceAccount: 'vaultServiceAccount.name',
  kubeconfig: 'nothing: the operator uses its ServiceAccount',
  context: 'nothing: the operator uses its ServiceAccount',
};

/** What all durations are; an operator that starts also checks those that have bounds. */
const DURATION = '^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,9}ms)?$';

/**
 * Returns the JSON schema of the value `settings`. It has types and words, but no pattern of a text: its template says what
 * is allowed instead (chartSettings()), in a sentence.
 */
export function settingsSchema(): Schema {
  const properties = Object.entries(settingSpecs()).map(([name, { schema, allowed, help }]) => [
    name,
    name === 'vaultIdentities'
      ? { description: help, type: 'array', items: identitySchema() }
      : name === 'templates'
        ? { description: help, type: 'array', items: { anyOf: [{ enum: Object.keys(PRESETS) }, templateSchema()] } }
        : { description: `${help} (${allowed})`, ...withoutText(schema) },
  ]);
  return {
    type: 'object',
    description: 'Settings of the operator, by the names in docs/reference/settings.md.',
    additionalProperties: false,
    properties: Object.fromEntries(properties) as Schema,
  };
}

function templateSchema(): Schema {
  return entrySchema(templateFields());
}

function identitySchema(): Schema {
  return entrySchema(identityFields());
}

function entrySchema(table: Readonly<Record<string, Field>>): Schema {
  const fields = Object.entries(table);
  const properties = fields.map(([name, { schema, allowed }]) => [
    name,
    {
      description: allowed,
      ...(schema.type === 'array' ? { ...schema, items: { type: 'string' } } : withoutText(schema)),
    },
  ]);
  return {
    type: 'object',
    additionalProperties: false,
    required: fields.filter(([, { isRequired }]) => isRequired === true).map(([name]) => name),
    properties: Object.fromEntries(properties) as Schema,
  };
}

function withoutText(schema: Schema): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== 'pattern' && key !== 'format'));
}

/** Returns the text of the file by which a template checks texts among the settings. */
export function chartSettings(): string {
  const rules = Object.entries(settingSpecs()).flatMap(([name, { schema, allowed }]): [string, object][] => {
    const instead = SET_BY_CHART[name];
    if (instead !== undefined) return [[name, { instead }]];
    const isDuration = typeof schema.format === 'string' && schema.format.startsWith('duration');
    const pattern = isDuration ? DURATION : schema.pattern;
    return pattern === undefined ? [] : [[name, { pattern, allowed }]];
  });
  return `${JSON.stringify(Object.fromEntries(rules), null, 2)}\n`;
}
