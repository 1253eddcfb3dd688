import { readList } from '../../core/list.ts';

/**
 * Returns which Vaults the operator may log in to, from a setting: ADDRESS for a Vault without namespaces,
 * ADDRESS#NAMESPACE for one of its namespaces, ADDRESS#* for all of them, separated by commas. The author of a policy
 * chooses its address, and the administrator of a Vault namespace chooses where its auth methods send tokens for
 * review: without this list both could get a token of the operator.
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
  // Host in lower case, default port left out, as a client reads it.
  const { origin, pathname } = new URL(address);
  return `${origin}/${trim(pathname)}#${trim(namespace)}`;
}
