/**
 * What is left of an object with more in it than any workload needs, and how to see it: json-trim.ts puts it in the
 * object's place before it is parsed, so that nobody pays for what nobody reads. Pure.
 */
import { asObject, asString } from './json.ts';
import type { RawObject } from './json.ts';

/**
 * The most fields and elements of lists that an object is read with, besides managedFields: the 30,000 of a template that
 * may be injected (injection/budget.ts), and 2,000 for the rest of the object. Two of them are parsed in 50 ms.
 */
export const MOST_OF_OBJECT = 32_000;

/** Of the field that says so. No kind of object has one of such a name, and API servers drop fields that they do not know. */
export const OVERSIZED_FIELD = '$oversized';

/** Only the name and kind of such an object are there, and its labels and annotations unless they are too many. */
export interface Oversized {
  /** Fields and elements of lists, without managedFields. */
  readonly elements: number;
  /** Whether its labels are there. */
  readonly hasLabels: boolean;
  /** A hash of the text of its pod template (spec.template, else the whole spec), which two with the same one share. */
  readonly template: string;
}

/** Returns what is known of an object that was too large to be read; undefined if it was not. */
export function oversizedOf(object: RawObject): Oversized | undefined {
  const field = asObject(object[OVERSIZED_FIELD]);
  if (field === undefined) return undefined;
  const { elements, hasLabels, template } = field;
  return { elements: Number(elements), hasLabels: hasLabels === true, template: asString(template) ?? '' };
}
