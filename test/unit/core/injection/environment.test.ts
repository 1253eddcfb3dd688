import { expect } from 'chai';
import { expandedReferences, referringVariables } from '../../../../core/injection/environment.ts';

const SECRET = { name: 'A', value: 'vault:kv/a#b' };

describe('environment', () => {
  describe("the kubelet's $(NAME)", () => {
    const expanded = (arg: string): number => {
      const container = { args: [arg], env: [SECRET] };
      return expandedReferences(container, referringVariables(container)).length;
    };
    const cases: [string, number][] = [
      ['$(A)', 1],
      ['x$(A)y', 1],
      ['$(A)$(A)', 2],
      ['$$$(A)', 1],
      ['$x$(A)', 1],
      ['$$(A)', 0],
      ['$(B)', 0],
      ['$(A', 0],
      ['$A', 0],
      ['${A}', 0],
      ['$', 0],
      ['', 0],
    ];
    for (const [arg, count] of cases)
      it(`expands ${count} in ${JSON.stringify(arg)}`, () => expect(expanded(arg)).to.equal(count));
  });

  it('is read if it has literal values, whatever else it contains', () => {
    const env = [
      SECRET,
      { name: 'F', valueFrom: { fieldRef: {} } },
      null,
      7,
      {},
      { value: 'vault:kv/a#b' },
      { name: 'N', value: 1 },
    ];
    expect(referringVariables({ env }).map(({ name }) => name)).to.deep.equal(['A', '']);
    for (const other of [undefined, null, 'vault:kv/a#b', { name: 'A' }]) {
      expect(referringVariables({ env: other })).to.deep.equal([]);
    }
  });
});
