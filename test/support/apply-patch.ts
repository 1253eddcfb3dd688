/** JSON patch (RFC 6902), strictly and on its own: nothing of the code under test is used. */

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

/** Returns a changed copy of `document`; throws if an operation does not apply. */
export function applyPatch(document: unknown, operations: readonly Operation[]): unknown {
  const holder = { document: onTheWire(document) };
  for (const operation of operations) apply(holder, operation);
  return holder.document;
}

function apply(holder: object, { op, path, value }: Operation): void {
  if (!path.startsWith('/')) throw new Error(`not a JSON pointer below the root: ${path}`);
  const tokens = ['document', ...path.slice(1).split('/').map(unescape)];
  const last = tokens.pop() ?? '';
  let parent: unknown = holder;
  for (const token of tokens) parent = step(parent, token, path);
  if (Array.isArray(parent)) applyToList(parent, last, op, onTheWire(value), path);
  else if (typeof parent === 'object' && parent !== null) applyToObject(parent, last, op, onTheWire(value), path);
  else throw new Error(`no parent for ${path}`);
}

/** A copy as the API server reads it: nothing in it is shared. */
function onTheWire(value: unknown): unknown {
  // most values of a patch are strings
  return typeof value === 'object' ? (JSON.parse(JSON.stringify(value)) as unknown) : value;
}

function step(parent: unknown, token: string, path: string): unknown {
  if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, token)) throw new Error(`no ${path}`);
  return (parent as Record<string, unknown>)[token];
}

function applyToList(list: unknown[], token: string, op: string, value: unknown, path: string): void {
  const index = token === '-' ? list.length : Number(token);
  if (!/^(-|0|[1-9]\d*)$/.test(token) || index > list.length - (op === 'add' ? 0 : 1)) throw new Error(`no ${path}`);
  if (op === 'add') list.splice(index, 0, value);
  else if (op === 'replace') list.splice(index, 1, value);
  else if (op === 'remove') list.splice(index, 1);
  else throw new Error(`unknown op ${op}`);
}

function applyToObject(object: object, key: string, op: string, value: unknown, path: string): void {
  if (op !== 'add' && !Object.hasOwn(object, key)) throw new Error(`no ${path}`);
  if (op === 'remove') Reflect.deleteProperty(object, key);
  else if (op === 'add' || op === 'replace') {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else throw new Error(`unknown op ${op}`);
}

function unescape(token: string): string {
  if (!token.includes('~')) return token;
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
