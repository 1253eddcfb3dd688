/**
 * The mark by which `uninstall` tells the replicas that still run that their installation is being removed. It names the
 * installation's ClusterRole by uid: a mark that was left behind says nothing about what is installed afterwards. Pure.
 */

/** Remove: the webhook configuration goes, and stays away. Restore: admission gives all workloads their templates back. */
export type Uninstalling = 'Remove' | 'Restore';

const FORM = /^(Remove|Restore)\/(\S{1,100})$/;
const UNKNOWN = 'unknown';

/** Returns the value of the mark; `uid` undefined: there is no ClusterRole, or the command may not read it. */
export function formatUninstalling(what: Uninstalling, uid: string | undefined): string {
  return `${what}/${uid ?? UNKNOWN}`;
}

/**
 * Returns what a mark says to this process; undefined: nothing.
 *
 * @param uid of the ClusterRole now; undefined: it is not known
 * @param wasThere whether the process has found this mark when it started: without a uid, it is of an earlier installation
 */
export function parseUninstalling(
  value: string | undefined,
  { uid, wasThere }: { readonly uid: string | undefined; readonly wasThere: boolean },
): Uninstalling | undefined {
  const [, what, marked] = FORM.exec(value ?? '') ?? [];
  if (what === undefined) return undefined;
  const isAbout = uid === undefined || marked === UNKNOWN ? !wasThere : marked === uid;
  return isAbout ? (what as Uninstalling) : undefined;
}
