import type { RawObject } from '../../core/json.ts';
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
}

/** Judges as admission would: first by the manifest alone, then with what is known about what it refers to. */
export function createJudge({ images, sources }: JudgeOptions) {
  return (key: string, workload: Workload, object: RawObject, rules: RuleSnapshot): Standing | undefined => {
    const { namespace } = workload.metadata;
    const bare = standingOf(workload, object, rules, {});
    const held = sources?.use(key, namespace, bare?.sourceNeeds);
    const read = held === undefined ? {} : { sources: held };
    const recorded = held === undefined ? bare : standingOf(workload, object, rules, read);
    const known = images?.use(key, namespace, recorded?.needs);
    if (known === undefined) return recorded;
    const whole = standingOf(workload, object, rules, { ...read, images: known });
    // A moved tag: what admission has recorded may be newer than what is known here.
    const isContradicted = recorded?.state === 'Injected' && whole?.state === 'Outdated';
    return isContradicted && images?.doubt(key) === true ? recorded : whole;
  };
}
