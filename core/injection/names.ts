/**
 * Every name that injection writes into a pod template besides its annotations (annotations.ts). Ours are told from a
 * user's by `vault-env`, `vault-env-token`, `vault-env-ca` and `vault-env-credentials`, each with `-2`, `-3`, … if the
 * plain name was taken.
 */

/** Settings of vault-env, in each wrapped container. */
export const CONFIG_VARIABLE = 'VAULT_ENV_CONFIG';
/** Name of the executable in every mount of it. */
export const EXECUTABLE = 'vault-env';
/** Where the injector image holds the executable: at the root, so that the same image serves as an image volume. */
export const EXECUTABLE_IN_IMAGE = '/vault-env';
/** Where the installer mounts the volume: not /vault-env, which is a file in its image. */
export const INSTALL_DIRECTORY = '/install';
export const INSTALL_FLAG = '--install';
/** Asks the executable in a container whether the program has been started. */
export const STARTED_FLAG = '--started';
/** Ends vault-env's own options, so that a program named like one is run and not read. */
export const END_OF_OPTIONS = '--';
export const INSTALLER_NAME = 'vault-env';

export type Purpose = 'executable' | 'token' | 'ca' | 'credentials';
export const PURPOSES: readonly Purpose[] = ['executable', 'token', 'ca', 'credentials'];

/** Volume names; a mount path is the same name at the root of the container. */
const baseName: Readonly<Record<Purpose, string>> = {
  executable: 'vault-env',
  token: 'vault-env-token',
  ca: 'vault-env-ca',
  credentials: 'vault-env-credentials',
};

/** Where our volumes are mounted in a container. */
export interface MountPaths {
  readonly executable: string;
  /** Only if the policy logs in with a token of the ServiceAccount. */
  readonly token: string | undefined;
  /** Only if the policy refers to a CA. */
  readonly ca: string | undefined;
  /** Only if the policy logs in with credentials from a Secret. */
  readonly credentials: string | undefined;
}

/** Returns what a volume, mount path or init container of that name is for, or undefined if the name is not ours. */
export function purposeOf(name: string): Purpose | undefined {
  return name.startsWith(baseName.executable)
    ? PURPOSES.find((purpose) => isNumbered(name, baseName[purpose]))
    : undefined;
}

export function purposeOfMountPath(mountPath: string): Purpose | undefined {
  return mountPath.startsWith('/') ? purposeOf(mountPath.slice(1)) : undefined;
}

/** Returns the first free name of `base`, `base-2`, `base-3`, …. */
export function freeName(purpose: Purpose, isTaken: (name: string) => boolean): string {
  const base = baseName[purpose];
  let name = base;
  for (let number = 2; isTaken(name); number++) name = `${base}-${number}`;
  return name;
}

function isNumbered(name: string, base: string): boolean {
  if (!name.startsWith(base)) return false;
  const rest = name.slice(base.length);
  return rest === '' || /^-([2-9]|[1-9]\d{1,3})$/.test(rest);
}
