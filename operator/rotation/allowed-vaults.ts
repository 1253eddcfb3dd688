import { readList } from '../../core/list.ts';

/**
 * The Vaults that the operator may log in to, from a setting: ADDRESS for a Vault without namespaces, ADDRESS#NAMESPACE for
 * one of its namespaces, ADDRESS#* for all of them, separated by commas. Whoever writes a policy chooses the address in it,
 * and who administers a namespace of Vault chooses where an auth method in it sends tokens to be reviewed: both would get
 * a token of the operator's.
 */
export function allowedVaults(setting: string): (address: string, namespace: string) => boolean {
  const allowed = new Set(
    readList(setting).map((item) => {
      const [address = '', namespace = ''] = item.split('#');
      return idOf(address, namespace);
    }),
  );
  return (address, namespace) => allowed.has(idOf(address, namespace)) || allowed.has(idOf(address, '*'));
}

function idOf(address: string, namespace: string): string {
  const trim = (text: string): string => text.replace(/^\/+|\/+$/g, '');
  // Host in lower case, default port left out: as whoever connects reads it.
  const { origin, pathname } = new URL(address);
  return `${origin}/${trim(pathname)}#${trim(namespace)}`;
}
