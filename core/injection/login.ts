/** What the containers of a pod use to log in to Vault: which of our volumes holds it, and under which names. */
import { AUTH_METHODS } from '../auth-methods.ts';
import type { Rule } from '../policy/rule.ts';
import type { MountPaths } from './names.ts';
import { asList, asObject, asString } from '../json.ts';
import type { RawObject } from '../json.ts';

export const TOKEN_FILE = 'token';

/** Whether the method takes a token of the pod's ServiceAccount; pods of other methods do not get one. */
export function takesToken({ vault }: Rule): boolean {
  return AUTH_METHODS[vault.auth.method].takesToken;
}

/** Whether the method takes credentials from a Secret, and the policy names one. */
export function takesSecret({ vault }: Rule): boolean {
  return vault.auth.secretRef !== undefined && AUTH_METHODS[vault.auth.method].secretFiles !== undefined;
}

/** The keys of the Secret that are mounted: the program does not see anything else in it. */
export function secretKeys({ vault }: Rule): readonly string[] {
  return Object.values(AUTH_METHODS[vault.auth.method].secretFiles ?? {});
}

/** Settings of vault-env: the files that the container logs in with. */
export function loginFiles({ vault }: Rule, paths: MountPaths): Readonly<Record<string, string>> {
  if (paths.token !== undefined) return { tokenPath: `${paths.token}/${TOKEN_FILE}` };
  const { credentials } = paths;
  if (credentials === undefined) return {};
  const files = Object.entries(AUTH_METHODS[vault.auth.method].secretFiles ?? {});
  return Object.fromEntries(files.map(([setting, name]) => [setting, `${credentials}/${name}`]));
}

/** Whether the items of a volume are what secretKeys() returns for some method. */
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

/** Returns the role to log in as: the requested one, else the pod's ServiceAccount if the method takes a role. */
export function roleFor({ vault }: Rule, asked: string, serviceAccount: string): string {
  const isNamed = asked !== '' || AUTH_METHODS[vault.auth.method].unnamedRole === 'None';
  return isNamed ? asked : serviceAccount;
}
