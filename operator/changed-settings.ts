import { targetNameOf } from '../core/added-kinds.ts';
import { settingSpecs } from './settings.ts';
import type { Settings } from './settings.ts';

/**
 * Returns the settings that differ from their defaults, as the file of --config has them, for people. None of them holds a
 * secret: credentials are in files, of which only the names are here. Of vaultIdentities and templates it returns the names.
 */
export function changedSettings(settings: Settings): Readonly<Record<string, unknown>> {
  const specs = settingSpecs();
  const { vaultIdentities, templates, ...plain } = settings;
  const changed = Object.entries(plain).filter(([name, value]) => value !== specs[name as keyof Settings].default);
  const names = vaultIdentities.map(({ name }) => name);
  const added = templates.map(targetNameOf);
  return {
    ...Object.fromEntries<unknown>(changed),
    ...(names.length > 0 && { vaultIdentities: names }),
    ...(added.length > 0 && { templates: added }),
  };
}
