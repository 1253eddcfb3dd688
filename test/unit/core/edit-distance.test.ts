import { expect } from 'chai';

import { editDistance, nearestOf } from '../../../core/edit-distance.ts';

describe('the edit distance', () => {
  for (const [a, b, distance] of [
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['vault-injection.dev', 'vaultinjection.dev', 1],
    ['flaw', 'lawn', 2],
    ['inject', 'injcet', 2],
  ] as const) {
    it(`of ${JSON.stringify(a)} and ${JSON.stringify(b)} is ${distance}, whatever bound it has`, () => {
      expect(editDistance(a, b)).to.equal(distance);
      expect(editDistance(b, a)).to.equal(distance);
      for (let most = 0; most <= 4; most++) {
        const bounded = editDistance(a, b, most);
        if (distance <= most) expect(bounded, `at most ${most}`).to.equal(distance);
        else expect(bounded, `at most ${most}`).to.be.above(most);
      }
    });
  }
});

describe('the nearest name', () => {
  const known = ['--webhook-url', '--webhook-port', '--drain'];
  for (const [written, nearest] of [
    ['--webhook-urll', '--webhook-url'],
    ['--webhok-prt', '--webhook-port'],
    ['--drian', '--drain'],
    ['--drain', '--drain'],
    ['--colour', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ] as const) {
    it(`to ${written.slice(0, 20) || 'nothing'} is ${nearest ?? 'none'}`, () => {
      expect(nearestOf(written, known)).to.equal(nearest);
    });
  }

  it('is the first of those that are equally near', () => {
    expect(nearestOf('ab', ['ax', 'ay'])).to.equal('ax');
  });
});
