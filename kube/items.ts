import type { KubernetesObject, Resource } from '../core/object.ts';
import { isNotFound } from './errors.ts';
import type { ListOptions, ObjectClient } from './object-client.ts';

/**
 * Yields the objects of a list, page by page (`options.limit` each), and fetches pages only as needed. Rejects with
 * ApiError; with one that isGone() if the pages take longer than the API server keeps their version.
 */
export async function* itemsOf<T extends KubernetesObject>(
  client: Pick<ObjectClient, 'list'>,
  resource: Resource,
  options: Omit<ListOptions, 'continue'>,
): AsyncGenerator<T, void> {
  let next: string | undefined;
  do {
    const page = await client.list<T>(resource, next === undefined ? options : { ...options, continue: next });
    yield* page.items;
    next = page.metadata.continue;
  } while (next !== undefined && next !== '');
}

/** The same of a resource that may not be there, because its CRD is not installed: then there are none. */
export async function* itemsIfServed<T extends KubernetesObject>(
  client: Pick<ObjectClient, 'list'>,
  resource: Resource,
  options: Omit<ListOptions, 'continue'>,
): AsyncGenerator<T, void> {
  try {
    yield* itemsOf<T>(client, resource, options);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
