import { expect } from 'chai';

import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, deployment, templateOf } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';
import { Random } from '../../../support/random.ts';
import { randomRule, randomWorkload } from '../../../support/random-workload.ts';

const RESTART = 'vaultinjection.dev/restart';
const ONE = 'cccccccccccc';
const TWO = 'dddddddddddd';
const CASES = 300;

const rule = ruleWith();
const plain = deployment({ containers: [container()] });

/** The workload with the annotation as it would be after a merge patch: undefined takes it away. */
function asked(workload: Workload, value: string | undefined): Workload {
  const { annotations: before = {}, ...metadata } = workload.metadata;
  const kept = Object.entries(before).filter(([key]) => key !== RESTART);
  const entries = value === undefined ? kept : [...kept, [RESTART, value] as const];
  const annotations = entries.length > 0 ? { annotations: Object.fromEntries(entries) } : {};
  return { ...workload, metadata: { ...metadata, ...annotations } };
}

const restartOf = (workload: Workload): unknown => templateOf(workload).metadata.annotations[RESTART];

describe('the annotation restart of a workload', () => {
  it('is copied into the template, and another value later', () => {
    const first = admitted(asked(plain, ONE), rule);
    expect(restartOf(first)).to.equal(ONE);
    const second = mutate(asked(first, TWO), rule);
    expect(second.patch).to.deep.equal([
      { op: 'replace', path: '/spec/template/metadata/annotations/vaultinjection.dev~1restart', value: TWO },
    ]);
  });

  it('restarts the pods of an injected workload, and changes nothing else', () => {
    const before = admitted(plain, rule);
    const { patch } = mutate(asked(before, ONE), rule);
    expect(patch).to.deep.equal([
      { op: 'add', path: '/spec/template/metadata/annotations/vaultinjection.dev~1restart', value: ONE },
    ]);
  });

  it('is not copied if nothing is injected', () => {
    expect(mutate(asked(plain, ONE)).patch).to.deep.equal([]);
    const quiet = deployment({ containers: [container({ env: [] })] });
    expect(mutate(asked(quiet, ONE), rule).patch).to.deep.equal([]);
  });

  for (const value of ['', 'now', 'CCCCCCCCCCCC', 'ccccccccccc', 'ccccccccccccc', 'cccccccccccg']) {
    it(`is not the operator's as ${JSON.stringify(value)}, and rolls nothing`, () => {
      expect(mutate(asked(admitted(plain, rule), value), rule).patch).to.deep.equal([]);
    });
  }

  it('in a template that was never injected is somebody else’s: removed with the injection, and not later', () => {
    const copied = deployment({ containers: [container()] }, { [RESTART]: ONE });
    const injected = admitted(copied, rule);
    expect(restartOf(injected)).to.equal(undefined);
    expect(mutate(injected, rule).patch).to.deep.equal([]);
    expect(mutate(copied).patch, 'without a policy it is left alone').to.deep.equal([]);
  });
});

describe('random workloads with the annotation restart', () => {
  for (const value of [undefined, ONE]) {
    it(`${value === undefined ? 'without' : 'with'} it, patch nothing the second time`, () => {
      for (let seed = 1; seed <= CASES; seed++) {
        const random = new Random(seed);
        const by = randomRule(random);
        const workload = asked(randomWorkload(random), value);
        if (random.chance(0.3))
          templateOf(workload).metadata.annotations = { ...templateOf(workload).metadata.annotations, [RESTART]: TWO };
        expect(mutate(admitted(workload, by), by).patch, `seed ${seed}`).to.deep.equal([]);
      }
    });
  }

  it('are restored exactly when no rule matches them any more, and keep their own annotation', () => {
    for (let seed = 1; seed <= CASES; seed++) {
      const random = new Random(seed);
      const by = randomRule(random);
      const workload = asked(randomWorkload(random), ONE);
      expect(admitted(admitted(workload, by)), `seed ${seed}`).to.deep.equal(workload);
    }
  });

  it('are the same whether restarted while or after they were injected', () => {
    for (let seed = 1; seed <= CASES; seed++) {
      const random = new Random(seed);
      const by = randomRule(random);
      const workload = randomWorkload(random);
      const later = admitted(asked(admitted(workload, by), ONE), by);
      expect(later, `seed ${seed}`).to.deep.equal(admitted(asked(workload, ONE), by));
    }
  });

  it('forget it when the annotation is gone', () => {
    for (let seed = 1; seed <= CASES; seed++) {
      const random = new Random(seed);
      const by = randomRule(random);
      const workload = randomWorkload(random);
      const replaced = admitted(asked(admitted(asked(workload, ONE), by), undefined), by);
      expect(replaced, `seed ${seed}`).to.deep.equal(admitted(workload, by));
    }
  });
});
