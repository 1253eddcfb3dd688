import { expect } from 'chai';
import { diff } from '../../../../core/injection/patch.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { Random, randomJson } from '../../../support/random.ts';

const operations = (before: unknown, after: unknown): string[] =>
  diff(before, after, '/x').map((operation) => `${operation.op} ${operation.path}`);

describe('patch', () => {
  it('is empty for equal values, whether or not they are the same object', () => {
    const value = { a: [{ name: 'b', c: 1 }] };
    expect(operations(value, value)).to.deep.equal([]);
    expect(operations(value, structuredClone(value))).to.deep.equal([]);
    expect(operations({ a: 1, b: 2 }, { b: 2, a: 1 })).to.deep.equal([]);
  });

  it('adds, replaces and removes fields where they differ', () => {
    expect(operations({ a: 1, b: { c: 1, d: 1 } }, { b: { c: 2, d: 1 }, e: 1 })).to.deep.equal([
      'remove /x/a',
      'replace /x/b/c',
      'add /x/e',
    ]);
  });

  it('escapes / and ~ in keys as JSON pointers require', () => {
    expect(operations({}, { 'a/b~c': 1 })).to.deep.equal(['add /x/a~1b~0c']);
  });

  it('edits lists of named objects element by element', () => {
    const [a, b, c] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
    expect(operations([a, b], [c, a, b])).to.deep.equal(['add /x/0']);
    expect(operations([a, b, c], [a, c])).to.deep.equal(['remove /x/1']);
    expect(operations([a, b], [c, a, { name: 'b', d: 1 }])).to.deep.equal(['add /x/0', 'add /x/2/d']);
    expect(operations([a, b], [b, a])).to.deep.equal(['remove /x/0', 'add /x/1']);
  });

  it('tells mounts by their path: one volume may be mounted twice', () => {
    const mount = (mountPath: string): object => ({ name: 'data', mountPath });
    expect(operations([mount('/a'), mount('/b')], [mount('/a')])).to.deep.equal(['remove /x/1']);
  });

  it('replaces any other list as a whole', () => {
    expect(operations(['a', 'b'], ['b'])).to.deep.equal(['replace /x']);
    const twice = [
      { name: 'a', v: 1 },
      { name: 'a', v: 2 },
    ];
    expect(operations(twice, [...twice, { name: 'a', v: 3 }])).to.deep.equal(['add /x/2']);
    expect(
      operations(twice, [
        { name: 'a', v: 3 },
        { name: 'a', v: 4 },
      ]),
    ).to.deep.equal(['replace /x']);
  });

  it('turns any value into any other (2000 random pairs)', () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const random = new Random(seed);
      const keys = ['a', 'b', 'name', 'mountPath', 'x/y', 'x~1', '__proto__'] as const;
      const [before, after] = [randomJson(random, [...keys]), randomJson(random, [...keys])];
      expect(applyPatch({ v: before }, diff(before, after, '/v')), `seed ${seed}`).to.deep.equal({ v: after });
    }
  });

  it('turns any list of named objects into any other (2000 random pairs)', () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const random = new Random(seed);
      const list = (): unknown[] =>
        random
          .some(['a', 'b', 'c', 'd', 'e', 'f'])
          .sort(() => random.next() - 0.5)
          .map((name) => ({ name, v: random.upTo(1) }));
      const [before, after] = [list(), list()];
      expect(applyPatch({ v: before }, diff(before, after, '/v')), `seed ${seed}`).to.deep.equal({ v: after });
    }
  });
});
