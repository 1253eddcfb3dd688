/**
 * Returns a function that returns the namespaces for which `is` has changed since its last call, or that are new and for
 * which it is true: among thousands of them, only those that a change concerns have to be looked at again.
 */
export function changedNamespaces(
  namespaces: () => Iterable<string>,
  is: (namespace: string) => boolean,
): () => ReadonlySet<string> {
  let before = new Map<string, boolean>();
  return () => {
    const now = new Map([...namespaces()].map((namespace) => [namespace, is(namespace)]));
    const changed = [...now].filter(([namespace, value]) => (before.get(namespace) ?? false) !== value);
    before = now;
    return new Set(changed.map(([namespace]) => namespace));
  };
}
