import { isUsable } from '../../core/policy/governing.ts';
import type { Governor, Rule, RuleSnapshot, UnusablePolicy } from '../../core/policy/rule.ts';
import { sourceName } from '../../core/injection/sources.ts';
import type { KnownSources, SourceAnswer } from '../../core/injection/sources.ts';
import { changed } from './changed.ts';
import type { Changes } from './changed.ts';
import { ruleOf } from './example-policy.ts';

const EPOCH = '1970-01-01T00:00:00Z';

/** The rule of a minimal policy that chooses its delivery itself, with a recognizable hash. */
const PLAIN_RULE: Rule = {
  ...ruleOf({
    injector: { delivery: 'InitContainer' },
    metadata: { name: 'shop-secrets', uid: 'uid-1', generation: 1, creationTimestamp: EPOCH },
    vault: { auth: { role: 'shop' } },
    failurePolicy: 'Fail',
  }),
  hash: 'aaaaaaaaaaaa',
};

/** A rule with some of its fields changed, however little sense they make together: no policy is compiled for it. */
export function ruleWith(changes: Changes<Rule> = {}): Rule {
  return changed(PLAIN_RULE, changes);
}

/** The same policies in every namespace. */
export function snapshotOf(...governors: readonly Governor[]): RuleSnapshot {
  const rules = governors.filter(isUsable);
  const unusable = governors.filter((one): one is UnusablePolicy => !isUsable(one));
  return { version: 1, rulesFor: () => rules, unusableFor: () => unusable };
}

/** What is known of objects, by their names as `Secret db`. */
export function knownSources(objects: Readonly<Record<string, SourceAnswer>>): KnownSources {
  return (ref) => objects[sourceName(ref)];
}
