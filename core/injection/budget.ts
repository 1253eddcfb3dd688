/**
 * What one workload may ask of a review. A review runs in one piece, in the process that answers for the whole cluster,
 * and anybody who can create a Deployment writes what it reads: 1.4 MB can hold 280,000 variables, and 300 references to one
 * ConfigMap 6 million. Each bound is far above what runs in a pod; beyond it the workload is left alone or refused, and
 * told why. Pure.
 */
import { asList, asObject, asString } from '../json.ts';
import type { RawObject } from '../json.ts';
import { piecesOf } from '../policy/match.ts';
import { annotationsOf, containersOf, labelsOf, podSpecOf } from './pod.ts';

/** Containers and init containers. */
const MOST_CONTAINERS = 250;
/** Fields and elements of lists, at any depth. */
const MOST_ELEMENTS = 20_000;
/** Characters of variables, commands and arguments that mention Vault or `$(`. Linux starts nothing with more. */
const MOST_TEXT = 262_144;
/** References in all containers, wherever they come from. */
export const MOST_REFERENCES = 1_000;
/** Keys of the objects in envFrom, once for each time that a container names the object. */
const MOST_KEYS = 10_000;
/** ConfigMaps and Secrets that have to be read. */
export const MOST_OBJECTS = 64;
/** Images that a registry has to be asked for. */
const MOST_IMAGES = 64;
/** Searches for pieces of the policy's patterns of paths in the paths of references: 40 ns each. */
const MOST_SEARCHES = 500_000;
/** Pieces of a pattern: the CRD lets it have 256 characters. */
const MOST_PIECES = 129;
// With fewer characters there is room for neither so many elements nor so much text: counting can be spared.
const SHORT = 2 * MOST_ELEMENTS;

/** Bounds for the template as its author means it. */
export const WRITTEN = { containers: MOST_CONTAINERS, elements: MOST_ELEMENTS, text: MOST_TEXT } as const;
/**
 * Bounds for a template that may be injected: what is as large as it may be must not be too large once injection has
 * added the init container and some 30 elements to each container.
 */
export const STORED = { containers: MOST_CONTAINERS + 1, elements: 1.5 * MOST_ELEMENTS, text: Infinity } as const;

/**
 * Returns what is too much in a workload with this template, as the beginning of a sentence; undefined if nothing is.
 * @param characters of the JSON of the workload, at most; undefined if that is not known
 */
export function excessOf(
  workload: RawObject,
  template: RawObject,
  bounds: typeof WRITTEN | typeof STORED,
  characters: number | undefined,
): string | undefined {
  const containers = containersOf(podSpecOf(template) ?? {});
  if (containers.length > bounds.containers) return excess(containers.length, 'containers', MOST_CONTAINERS);
  if (characters !== undefined && characters < SHORT) return undefined;
  const claims = asObject(workload.spec)?.volumeClaimTemplates;
  if (hasMoreElements([template, annotationsOf(workload), labelsOf(workload), claims], bounds.elements)) {
    return excessOfElements();
  }
  const text = bounds.text === Infinity ? 0 : containers.reduce((sum, container) => sum + textOf(container), 0);
  if (text <= bounds.text) return undefined;
  return excess(text, 'characters that mention Vault or $( in variables and commands', MOST_TEXT);
}

/** The same about fields and elements of lists. */
export function excessOfElements(): string {
  return `over ${MOST_ELEMENTS} fields and elements of lists are more than are reviewed`;
}

/** What the environment of all containers of one workload has used up so far. */
export class EnvironmentBudget {
  #references = 0;
  #keys = 0;
  #characters = 0;
  #excess: string | undefined;

  /** What is too much, as the beginning of a sentence; undefined as long as nothing is. */
  get excess(): string | undefined {
    return this.#excess;
  }

  /** Takes references of a container; false if there are too many. */
  takeReferences(count: number): boolean {
    this.#references += count;
    if (this.#references > MOST_REFERENCES) this.#excess ??= excess(undefined, 'references', MOST_REFERENCES);
    return this.#excess === undefined;
  }

  /** Takes a key of an object, with the value to look into; false if there are too many, or they are too long. */
  takeKey(value: string): boolean {
    this.#keys++;
    this.#characters += value.length;
    if (this.#keys > MOST_KEYS) this.#excess ??= excess(undefined, 'variables from ConfigMaps and Secrets', MOST_KEYS);
    if (this.#characters > MOST_TEXT) {
      this.#excess ??= excess(undefined, 'characters that mention Vault in ConfigMaps and Secrets', MOST_TEXT);
    }
    return this.#excess === undefined;
  }
}

/** Returns what is too much about so many images to look up; undefined if it is not. */
export function excessOfImages(images: number): string | undefined {
  return images > MOST_IMAGES ? excess(images, 'images whose entry point is not known', MOST_IMAGES) : undefined;
}

/** The same about comparing so many references with patterns of paths. */
export function excessOfPatterns(references: number, patterns: readonly string[]): string | undefined {
  if (references * patterns.length * MOST_PIECES <= MOST_SEARCHES) return undefined;
  const searches = references * piecesOf(patterns);
  return searches > MOST_SEARCHES
    ? excess(searches, "searches for pieces of the policy's patterns of paths", MOST_SEARCHES)
    : undefined;
}

/** The same about ConfigMaps and Secrets to read. */
export function excessOfObjects(objects: number): string | undefined {
  return objects > MOST_OBJECTS
    ? excess(objects, 'ConfigMaps and Secrets in the environment', MOST_OBJECTS)
    : undefined;
}

function excess(count: number | undefined, what: string, most: number): string {
  return `${count ?? `over ${most}`} ${what} are more than the ${most} that are reviewed`;
}

/** Looks no further than is needed. */
function hasMoreElements(roots: readonly unknown[], most: number): boolean {
  const open = [...roots];
  let count = 0;
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    const list = asList(value);
    if (list !== undefined) {
      count += list.length;
      if (count > most) return true;
      for (const item of list) if (typeof item === 'object') open.push(item);
      continue;
    }
    for (const key in value) {
      if (++count > most) return true;
      const field = (value as RawObject)[key];
      if (typeof field === 'object') open.push(field);
    }
  }
  return false;
}

function textOf(container: RawObject): number {
  const values = (asList(container.env) ?? []).map((item) => asObject(item)?.value);
  let length = 0;
  for (const value of [...values, ...(asList(container.command) ?? []), ...(asList(container.args) ?? [])]) {
    const text = asString(value);
    if (text !== undefined && (text.includes('vault:') || text.includes('$('))) length += text.length;
  }
  return length;
}
