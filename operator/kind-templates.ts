/**
 * The entries of the setting templates: kinds of other operators whose pod templates are injected. What is written wrong is
 * found when the operator starts, because nothing else would tell: a rule for a resource that does not exist is never called.
 */
import { Ajv } from 'ajv';

import { PRESETS, ROLLOUTS, targetNameOf } from '../core/added-kinds.ts';
import type { AddedKind } from '../core/added-kinds.ts';
import { KINDS } from '../core/kinds.ts';
import { nearestOf } from '../core/edit-distance.ts';
import { shortened } from '../core/shown.ts';
import { SettingsError } from './settings-sources.ts';
import type { SettingSpec } from './settings-validation.ts';
import type { Field } from './vault-identities.ts';

/** What is wrong with an entry, for who has written it: with the place, and what to write instead. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

const FIELDS: Readonly<Record<keyof Omit<AddedKind, 'between'>, Field>> = {
  group: {
    schema: { type: 'string', maxLength: 253, pattern: `^${LABEL}(\\.${LABEL})+$` },
    allowed: 'the API group of a CustomResourceDefinition, such as argoproj.io',
    isRequired: true,
  },
  version: {
    schema: { type: 'string', pattern: `^${LABEL}$` },
    allowed: 'the version of the API, such as v1alpha1',
    isRequired: true,
  },
  resource: {
    schema: { type: 'string', pattern: `^${LABEL}$` },
    allowed: 'the name of the resource in the plural, in lower case and without the group, such as rollouts',
    isRequired: true,
  },
  kind: {
    schema: { type: 'string', pattern: '^[A-Z][A-Za-z0-9]{0,62}$' },
    allowed: 'the kind as manifests write it, such as Rollout',
    isRequired: true,
  },
  template: {
    schema: { type: 'string', maxLength: 256, pattern: '^spec(\\.[a-z][A-Za-z0-9]*)+$' },
    allowed:
      'the fields that lead from the object to the pod template, which has metadata and spec below it, such as spec.template',
    isRequired: true,
  },
  rollout: {
    schema: { enum: Object.keys(ROLLOUTS) },
    allowed: `how its rollout is read: ${Object.keys(ROLLOUTS).join(', ')}`,
    isRequired: true,
  },
};

/** Returns the table of the keys of an entry, from which the chart's schema is made. */
export const templateFields = (): Readonly<Record<string, Field>> => FIELDS;

/** The row of the table of settings. */
export const TEMPLATES: SettingSpec = {
  default: '',
  // read by readTemplates()
  schema: {},
  allowed:
    'presets separated by commas (ArgoRollout, CloneSet, KnativeService); in the file of --config, a list of them and of entries with group, version, resource, kind, template and rollout',
  help: 'kinds of other operators that have a pod template, which policies can then name in targets as Kind.group, such as Rollout.argoproj.io (docs/guides/other-kinds.md). The operator needs the rights on each. Empty: none',
};

/**
 * Returns the value of the setting. Throws SettingsError.
 *
 * @param origin where it was written
 */
export function templatesOf(value: unknown, origin: string): readonly AddedKind[] {
  try {
    return readTemplates(value);
  } catch (error) {
    if (error instanceof TemplateError) throw new SettingsError(`${origin}: ${error.message}`);
    throw error;
  }
}

const MOST = 16;
const PRESET_NAMES = Object.keys(PRESETS);

/**
 * Returns the entries. Throws TemplateError.
 *
 * @param value a list, as it was in a YAML file, or names of presets with commas between them
 */
export function readTemplates(value: unknown): readonly AddedKind[] {
  const list: unknown = typeof value === 'string' ? namesIn(value) : (value ?? []);
  if (!Array.isArray(list)) {
    throw new TemplateError(`write a list of presets (${PRESET_NAMES.join(', ')}) and entries with group, version, …`);
  }
  if (list.length > MOST) throw new TemplateError(`write at most ${MOST} entries`);
  const kinds = list.map((entry: unknown, index) => {
    const place = `entry ${index + 1}`;
    return typeof entry === 'string' ? presetNamed(entry, place) : checked(entry, place);
  });
  for (const [index, kind] of kinds.entries()) {
    const same = kinds.findIndex(
      (other) => other.group === kind.group && (other.kind === kind.kind || other.resource === kind.resource),
    );
    if (same < index) {
      const name = targetNameOf(kind);
      throw new TemplateError(`entry ${index + 1}: ${name} is that of entry ${same + 1} already; remove one of them`);
    }
  }
  return kinds;
}

function namesIn(text: string): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function presetNamed(name: string, place: string): AddedKind {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (preset !== undefined) return preset;
  const nearest = nearestOf(name, PRESET_NAMES);
  const instead = nearest === undefined ? `write one of ${PRESET_NAMES.join(', ')}` : `did you mean ${nearest}?`;
  throw new TemplateError(
    `${place}: there is no preset "${shortened(name)}"; ${instead} Anything else is an entry in the file of --config, with ${Object.keys(FIELDS).join(', ')}`,
  );
}

function checked(entry: unknown, place: string): AddedKind {
  const fail = (text: string): never => {
    throw new TemplateError(`${place}: ${text}`);
  };
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    return fail(`write the name of a preset, or a mapping with ${Object.keys(FIELDS).join(', ')}`);
  }
  const values = entry as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(values)) {
    if (!Object.hasOwn(FIELDS, key)) {
      fail(`unknown key "${shortened(key)}"; allowed: ${Object.keys(FIELDS).join(', ')}`);
    }
  }
  const { group, kind } = values;
  const builtIn = Object.values(KINDS).find((row) => row.kind === kind && row.resource.group === group);
  if (builtIn !== undefined) {
    fail(`${builtIn.kind} needs no entry: policies name it in targets as ${builtIn.kind}`);
  }
  const ajv = new Ajv();
  for (const [key, { schema, allowed }] of Object.entries<Field>(FIELDS)) {
    if (values[key] === undefined) fail(`${key} is missing; write ${allowed}`);
    if (!ajv.validate(schema, values[key])) {
      fail(`${key}: ${shortened(JSON.stringify(values[key]))} is not allowed; write ${allowed}`);
    }
  }
  const added = values as unknown as AddedKind;
  const [, short] = /^(.+\.template)\.(spec|metadata)\b/.exec(added.template) ?? [];
  if (short !== undefined) fail(`template: ${added.template} leads into the pod template; write ${short}`);
  return added;
}
