import { ApiError } from '../../kube/object-client.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';
import type { ListOptions, ObjectClient, ObjectList, WatchEvent, WatchOptions } from '../../kube/object-client.ts';

type Json = Record<string, unknown>;
type Operation = 'get' | 'list' | 'create' | 'replace' | 'apply' | 'patch' | 'delete' | 'watch';

interface Stored {
  object: KubernetesObject;
  /** What each field manager applied last. */
  readonly applied: Map<string, Json>;
}

interface Logged {
  readonly version: number;
  readonly path: string;
  readonly event: WatchEvent;
}

// as the schema of MutatingWebhookConfiguration has them (x-kubernetes-map-type: atomic, list-type: map)
const ATOMIC = new Set(['namespaceSelector', 'objectSelector', 'rules', 'admissionReviewVersions']);
const LISTS_BY_NAME = new Set(['webhooks', 'matchConditions']);

/** An API server in memory, of as much as the webhook's keepers ask of one: versions, conflicts, watches, apply. */
export class MemoryApi implements ObjectClient {
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #log: Logged[] = [];
  readonly #waiting = new Set<() => void>();
  #version = 1;
  /** All operations so far, such as 'apply vault-injection-operator'. */
  readonly calls: string[] = [];
  /** Runs before each operation; what it throws is the answer. */
  before: (operation: Operation, name: string) => void | Promise<void> = () => undefined;
  /** Runs after an operation has taken effect; what it throws is the answer instead: a lost response. */
  after: (operation: Operation, name: string) => void = () => undefined;

  async get<T extends KubernetesObject>(resource: Resource, name: string): Promise<T | undefined> {
    await this.#enter('get', name);
    return copy(this.#at(resource).get(name)?.object) as T | undefined;
  }

  async list<T extends KubernetesObject>(resource: Resource, options: ListOptions = {}): Promise<ObjectList<T>> {
    await this.#enter('list', resource.plural);
    const all = [...this.#objects]
      .filter(([path]) => isUnder(path, resource))
      .flatMap(([, objects]) => [...objects.values()].map(({ object }) => object))
      .filter((object) => isSelected(object, options));
    const from = Number(options.continue ?? 0);
    const items = copy(all.slice(from, from + (options.limit ?? all.length))) as T[];
    const end = from + items.length;
    return {
      metadata: { resourceVersion: String(this.#version), ...(end < all.length && { continue: String(end) }) },
      items,
    };
  }

  /** What a dry run of an apply answers: admission; what it throws is the answer. */
  admit: (object: KubernetesObject) => KubernetesObject = (object) => object;

  async create<T extends KubernetesObject>(resource: Resource, object: KubernetesObject): Promise<T> {
    const { name } = object.metadata;
    await this.#enter('create', name);
    if (this.#at(resource).has(name)) throw new ApiError(409, 'AlreadyExists', 'already exists');
    return this.#leave('create', this.#put(resource, object, new Map())) as T;
  }

  async replace<T extends KubernetesObject>(resource: Resource, object: KubernetesObject): Promise<T> {
    const { name, resourceVersion } = object.metadata;
    await this.#enter('replace', name);
    const stored = this.#at(resource).get(name);
    if (stored === undefined) throw new ApiError(404, 'NotFound', 'not found');
    if (resourceVersion !== undefined && resourceVersion !== stored.object.metadata.resourceVersion) {
      throw new ApiError(409, 'Conflict', 'the object has been modified');
    }
    return this.#leave('replace', this.#put(resource, object, stored.applied)) as T;
  }

  async apply<T extends KubernetesObject>(
    resource: Resource,
    object: KubernetesObject,
    { fieldManager, dryRun = false }: { readonly fieldManager: string; readonly dryRun?: boolean },
  ): Promise<T> {
    const { name } = object.metadata;
    await this.#enter('apply', name);
    if (dryRun) return this.admit(copy(object)) as T;
    const stored = this.#at(resource).get(name);
    const applied = stored?.applied ?? new Map<string, Json>();
    const merged = merge(stored?.object ?? {}, object, applied.get(fieldManager) ?? {});
    applied.set(fieldManager, copy(object));
    return this.#leave('apply', this.#put(resource, merged as unknown as KubernetesObject, applied, fieldManager)) as T;
  }

  async patch<T extends KubernetesObject>(
    resource: Resource,
    name: string,
    changes: Readonly<Record<string, unknown>>,
    { fieldManager }: { readonly fieldManager: string },
  ): Promise<T> {
    await this.#enter('patch', name);
    const stored = this.#at(resource).get(name);
    if (stored === undefined) throw new ApiError(404, 'NotFound', 'not found');
    const { uid } = (changes.metadata ?? {}) as { uid?: string };
    if (uid !== undefined && uid !== stored.object.metadata.uid) {
      throw new ApiError(409, 'Conflict', 'the UID in the precondition is not that of the object');
    }
    const patched = mergePatch(stored.object, changes) as KubernetesObject;
    return this.#leave('patch', this.#put(resource, patched, stored.applied, fieldManager)) as T;
  }

  async delete(resource: Resource, name: string): Promise<void> {
    await this.#enter('delete', name);
    const stored = this.#at(resource).get(name);
    if (stored === undefined) throw new ApiError(404, 'NotFound', 'not found');
    this.#at(resource).delete(name);
    const metadata = { ...stored.object.metadata, resourceVersion: String(++this.#version) };
    this.#tell(resource, { type: 'DELETED', object: { ...stored.object, metadata } });
  }

  async *watch<T extends KubernetesObject>(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    await this.#enter('watch', resource.plural);
    let seen = Number(options.resourceVersion);
    while (!options.signal.aborted) {
      const next = this.#log.find(({ version, path }) => version > seen && isUnder(path, resource));
      if (next === undefined) {
        await this.#somethingOr(options.signal);
        continue;
      }
      seen = next.version;
      if (next.event.type === 'ERROR' || isSelected(next.event.object, options)) {
        yield copy(next.event) as WatchEvent<T>;
      }
    }
  }

  /** Changes an object by hand, as another user would. */
  edit(resource: Resource, name: string, manager: string, change: (object: Json) => void): void {
    const stored = this.#at(resource).get(name);
    if (stored === undefined) throw new Error(`there is no ${name} to edit`);
    const object = copy(stored.object) as unknown as Json;
    change(object);
    this.#put(resource, object as unknown as KubernetesObject, stored.applied, manager);
  }

  async #enter(operation: Operation, name: string): Promise<void> {
    this.calls.push(`${operation} ${name}`);
    await this.before(operation, name);
  }

  #leave(operation: Operation, object: KubernetesObject): KubernetesObject {
    this.after(operation, object.metadata.name);
    return object;
  }

  #put(resource: Resource, object: KubernetesObject, applied: Map<string, Json>, manager?: string): KubernetesObject {
    const before = this.#at(resource).get(object.metadata.name)?.object;
    const { resourceVersion, managedFields, ...metadata } = { ...before?.metadata, ...object.metadata };
    const others = ((managedFields as { manager: string }[] | undefined) ?? []).filter((by) => by.manager !== manager);
    const managed =
      manager === undefined ? others : [...others, { manager, time: new Date(this.#version).toISOString() }];
    const uid = before?.metadata.uid ?? `uid-${++this.#version}`;
    const meta = { ...copy(metadata), name: object.metadata.name, uid, managedFields: managed };
    const at = (version: unknown): KubernetesObject => ({
      ...copy(object),
      metadata: { ...meta, resourceVersion: String(version) },
    });
    // what changes nothing is written nowhere
    if (before !== undefined && same(before, at(resourceVersion))) return at(resourceVersion);
    const stored = at(++this.#version);
    this.#at(resource).set(stored.metadata.name, { object: stored, applied });
    this.#tell(resource, { type: before === undefined ? 'ADDED' : 'MODIFIED', object: copy(stored) });
    return copy(stored);
  }

  #tell(resource: Resource, event: WatchEvent): void {
    this.#log.push({ version: this.#version, path: pathOf(resource), event });
    for (const wake of this.#waiting) wake();
  }

  #somethingOr(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #at(resource: Resource): Map<string, Stored> {
    const path = pathOf(resource);
    const objects = this.#objects.get(path) ?? new Map<string, Stored>();
    this.#objects.set(path, objects);
    return objects;
  }
}

/** Server-side apply by `wanted`'s manager, who applied `before` the last time: what it no longer names goes. */
function merge(live: object, wanted: Json, before: Json): Json {
  const result: Json = { ...(live as Json) };
  for (const key of Object.keys(before)) if (!(key in wanted)) Reflect.deleteProperty(result, key);
  for (const [key, value] of Object.entries(wanted)) {
    const liveValue = result[key];
    if (LISTS_BY_NAME.has(key)) result[key] = mergeByName(liveValue, value, before[key]);
    else if (isMap(value) && isMap(liveValue) && !ATOMIC.has(key)) {
      result[key] = merge(liveValue, value, isMap(before[key]) ? before[key] : {});
    } else result[key] = copy(value);
  }
  return result;
}

/** RFC 7386. */
function mergePatch(live: unknown, changes: unknown): unknown {
  if (!isMap(changes)) return copy(changes);
  const result: Json = isMap(live) ? { ...live } : {};
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

function mergeByName(live: unknown, wanted: unknown, before: unknown): unknown {
  const index = (list: unknown): Json =>
    Object.fromEntries(((list as { name: string }[] | undefined) ?? []).map((item) => [item.name, item]));
  return Object.values(merge(index(live), index(wanted), index(before)));
}

/** `key` or `key=value`, joined by commas. */
function hasLabels({ metadata: { labels = {} } }: KubernetesObject, selector = ''): boolean {
  return selector
    .split(',')
    .filter((term) => term !== '')
    .every((term) => {
      const [key = '', value] = term.split('=');
      return value === undefined ? Object.hasOwn(labels, key) : labels[key] === value;
    });
}

function isSelected(
  object: KubernetesObject,
  { fieldSelector, labelSelector }: Pick<ListOptions, 'fieldSelector' | 'labelSelector'>,
): boolean {
  if (!hasLabels(object, labelSelector)) return false;
  return fieldSelector === undefined || fieldSelector === `metadata.name=${object.metadata.name}`;
}

function pathOf({ group, plural, namespace = '' }: Resource): string {
  return `${group}/${plural}/${namespace}`;
}

function isUnder(path: string, resource: Resource): boolean {
  return resource.namespace === undefined ? path.startsWith(pathOf(resource)) : path === pathOf(resource);
}

function same(a: KubernetesObject, b: KubernetesObject): boolean {
  const strip = (object: KubernetesObject): string =>
    JSON.stringify(sorted({ ...object, metadata: { ...object.metadata, resourceVersion: '', managedFields: [] } }));
  return strip(a) === strip(b);
}

function sorted(value: unknown): unknown {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function copy<T>(value: T): T {
  return structuredClone(value);
}
