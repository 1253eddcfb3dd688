/** What the containers of a pod log in to Vault with: which volume of ours holds it, and by which names. */
import { AUTH_METHODS } from '../auth-methods.ts';
import type { Rule } from '../policy/rule.ts';
import type { MountPaths } from './names.ts';
import { asList, asObject, asString } from '../json.ts';
import type { RawObject } from '../json.ts';

export const TOKEN_FILE = 'token';

/** Whether the method takes a token of the pod's ServiceAccount; the pods of any other method are not given one. */
export function takesToken({ vault }: Rule): boolean {
  return AUTH_METHODS[vault.auth.method].takesToken;
}

/** Whether the method takes what a Secret holds, and there is one. */
export function takesSecret({ vault }: Rule): boolean {
  return vault.auth.secretRef !== undefined && AUTH_METHODS[vault.auth.method].secretFiles !== undefined;
}

/** The keys of the Secret that are mounted: nothing else that it may hold is shown to the program. */
export function secretKeys({ vault }: Rule): readonly string[] {
  return Object.values(AUTH_METHODS[vault.auth.method].secretFiles ?? {});
}

/** Settings of vault-env: where the container has what it logs in with. */
export function loginFiles({ vault }: Rule, paths: MountPaths): Readonly<Record<string, string>> {
  if (paths.token !== undefined) return { tokenPath: `${paths.token}/${TOKEN_FILE}` };
  const { credentials } = paths;
  if (credentials === undefined) return {};
  const files = Object.entries(AUTH_METHODS[vault.auth.method].secretFiles ?? {});
  return Object.fromEntries(files.map(([setting, name]) => [setting, `${credentials}/${name}`]));
}

/** Whether the items of a volume are those of secretKeys() for some method. */
export function areSecretItems(items: unknown): boolean {
  const pathOf = (item: unknown): string | undefined => asString(asObject(item)?.path);
  const paths = asList(items)?.map(pathOf).join();
  return Object.values(AUTH_METHODS).some(
    ({ secretFiles }) => secretFiles && Object.values(secretFiles).join() === paths,
  );
}

/** The content of the volume with what the method takes from a Secret. */
export function secretVolume(rule: Rule, defaultMode: number): RawObject {
  const items = secretKeys(rule).map((key) => ({ key, path: key }));
  return { secret: { secretName: rule.vault.auth.secretRef?.name, items, defaultMode } };
}

/** The role to log in as: what is asked for, else the pod's ServiceAccount where the method has a role to name. */
export function roleFor({ vault }: Rule, asked: string, serviceAccount: string): string {
  const isNamed = asked !== '' || AUTH_METHODS[vault.auth.method].unnamedRole === 'None';
  return isNamed ? asked : serviceAccount;
}
