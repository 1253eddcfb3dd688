/** Small predicates that decide which rules match a workload. Pure; none can fail, whatever a user wrote. */
import { whenMadeOf } from '../kinds.ts';
import type { Maker, WorkloadKind } from '../kinds.ts';
import type { LabelRequirement, Rule } from './rule.ts';

type Labels = Readonly<Record<string, string>>;

/** Returns whether a text matches. */
export type Matcher = (text: string) => boolean;

/**
 * Returns what tells whether any of the patterns matches a text; * matches any run of characters, including none and
 * slashes, everything else itself. The patterns are taken apart here, once for all texts. The literal pieces are searched
 * once from left to right, so no pattern makes it backtrack, as a regular expression could.
 */
export function matcherOf(patterns: readonly string[]): Matcher {
  const matchers = patterns.map(matcherOfOne);
  return (text) => matchers.some((matches) => matches(text));
}

function matcherOfOne(pattern: string): Matcher {
  // some in a row say no more than one
  const [first = '', ...pieces] = pattern.split(/\*+/);
  const last = pieces.pop();
  if (last === undefined) return (text) => pattern === text;
  const shortest = first.length + last.length + pieces.reduce((sum, piece) => sum + piece.length, 0);
  return (text) => {
    if (text.length < shortest || !text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let at = first.length;
    for (const piece of pieces) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= end;
  };
}

/** Returns how many pieces of text the patterns have to be searched for, at most, in one text. */
export function piecesOf(patterns: readonly string[]): number {
  return patterns.reduce((sum, pattern) => sum + pattern.split(/\*+/).length, 0);
}

/** Whether a pattern matches `text`: see matcherOf(), which is faster for several texts. */
export function matchesWildcard(pattern: string, text: string): boolean {
  return matcherOfOne(pattern)(text);
}

/** Whether any of the patterns matches `text`: see matcherOf(), which is faster for several texts. */
export function matchesAny(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => matchesWildcard(pattern, text));
}

/**
 * Whether a label selector matches, as Kubernetes defines it: all of its terms hold; an empty one selects everything.
 */
export function matchesSelector(selector: Rule['selector'], labels: Labels): boolean {
  return (
    Object.entries(selector.matchLabels).every(([key, value]) => labelOf(labels, key) === value) &&
    selector.matchExpressions.every((requirement) => meets(requirement, labels))
  );
}

/**
 * Returns those of `rules` (of the workload's namespace) that match such a workload, in the order given.
 *
 * @param maker what has made it from a template of its own: there a rule that is for both has decided
 */
export function matchingRules<T extends Pick<Rule, 'targets' | 'selector'>>(
  rules: readonly T[],
  kind: WorkloadKind,
  labels: Labels,
  maker?: Maker,
): readonly T[] {
  return rules.filter(
    ({ targets, selector }) =>
      targets.includes(kind) && !isLeftTo(maker, kind, targets) && matchesSelector(selector, labels),
  );
}

/** Whether what a controller has made is injected at the template that it was made from, or never. */
function isLeftTo(maker: Maker | undefined, kind: WorkloadKind, targets: readonly WorkloadKind[]): boolean {
  if (maker === undefined) return false;
  return whenMadeOf(kind) !== 'ByTargets' || targets.some((target) => target === maker);
}

function meets({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = labelOf(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn': // also holds if there is no such label (apimachinery's labels.Requirement)
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** A label may be called `constructor`, which every object has. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
