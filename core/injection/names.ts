/**
 * Every name that injection writes into a pod template beside its annotations (annotations.ts), and how a name of ours is told from a user's:
 * by `vault-env`, `vault-env-token`, `vault-env-ca` and `vault-env-credentials`, each with `-2`, `-3`, … where the plain
 * name was taken.
 */

/** Settings of vault-env, in each wrapped container. */
export const CONFIG_VARIABLE = 'VAULT_ENV_CONFIG';
/** Name of the executable inside of every mount of it. */
export const EXECUTABLE = 'vault-env';
/** Where the injector image holds the executable: at the root, so that the same image serves as an image volume. */
export const EXECUTABLE_IN_IMAGE = '/vault-env';
/** Where the installer mounts the volume: not /vault-env, which is a file in its image. */
export const INSTALL_DIRECTORY = '/install';
export const INSTALL_FLAG = '--install';
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

/** Where a container finds what is mounted for it. */
export interface MountPaths {
  readonly executable: string;
  /** Only where the policy logs in with a token of the ServiceAccount. */
  readonly token: string | undefined;
  /** Only where the policy refers to a CA. */
  readonly ca: string | undefined;
  /** Only where the policy logs in with what a Secret holds. */
  readonly credentials: string | undefined;
}

/** What a volume, mount path or init container name of ours is for; undefined for a name that we never give. */
export function purposeOf(name: string): Purpose | undefined {
  return name.startsWith(baseName.executable)
    ? PURPOSES.find((purpose) => isNumbered(name, baseName[purpose]))
    : undefined;
}

export function purposeOfMountPath(mountPath: string): Purpose | undefined {
  return mountPath.startsWith('/') ? purposeOf(mountPath.slice(1)) : undefined;
}

/** `base`, `base-2`, `base-3`, …: the first one that is free. */
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
