import type { RawObject } from '../../core/json.ts';
import type { Kinds } from '../../core/kinds.ts';
import type { RuleSnapshot } from '../../core/policy/rule.ts';
import type { ImageNeeds, KnownImages } from '../../core/injection/images.ts';
import type { KnownSources, SourceNeeds } from '../../core/injection/sources.ts';
import type { Standing } from '../../core/workload/standing.ts';
import { standingOf } from '../../core/workload/standing.ts';
import type { Warming } from './warming.ts';
import type { Workload } from '../../core/workload/workload.ts';

export interface JudgeOptions {
  readonly images?: Pick<Warming<ImageNeeds, KnownImages>, 'use' | 'doubt'> | undefined;
  readonly sources?: Pick<Warming<SourceNeeds, KnownSources>, 'use'> | undefined;
  /** Those that the operator knows (default: the built-in ones). */
  readonly kinds?: Kinds | undefined;
}

/** Judges as admission would: first by the manifest alone, then with what is known about what it refers to. */
export function createJudge({ images, sources, kinds }: JudgeOptions) {
  return (key: string, workload: Workload, object: RawObject, rules: RuleSnapshot): Standing | undefined => {
    const { namespace } = workload.metadata;
    const table = kinds === undefined ? {} : { kinds };
    const bare = standingOf(workload, object, rules, table);
    const held = sources?.use(key, namespace, bare?.sourceNeeds);
    const read = held === undefined ? {} : { sources: held };
    const partial = isPartial(bare?.sourceNeeds, held) ? { isPartial: true as const } : {};
    const known = held === undefined ? bare : standingOf(workload, object, rules, { ...table, ...read });
    const recorded = known && { ...known, ...partial };
    const looked = images?.use(key, namespace, recorded?.needs);
    if (looked === undefined) return recorded;
    const whole = standingOf(workload, object, rules, { ...table, ...read, images: looked });
    // A moved tag: what admission has recorded may be newer than what is known here.
    const isContradicted = recorded?.state === 'Injected' && whole?.state === 'Outdated';
    return isContradicted && images?.doubt(key) === true ? recorded : whole && { ...whole, ...partial };
  };
}

/** Whether an object that environment may come from cannot be read, or has not been yet. */
function isPartial(needs: SourceNeeds | undefined, known: KnownSources | undefined): boolean {
  return (needs?.objects ?? []).some((ref) => {
    const answer = known?.(ref);
    return answer === undefined || 'unreadable' in answer;
  });
}
