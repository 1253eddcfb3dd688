import { expect } from 'chai';
import { parseChallenges } from '../../../../webhook/image-config/challenge.ts';

describe('a challenge', () => {
  const readings: readonly [what: string, header: string | string[] | undefined, challenges: unknown][] = [
    ['none at all', undefined, []],
    ['Basic', 'Basic realm="Registry Realm"', [{ scheme: 'basic', parameters: { realm: 'Registry Realm' } }]],
    [
      'Bearer with its parameters',
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull"',
      [
        {
          scheme: 'bearer',
          parameters: {
            realm: 'https://auth.example/token',
            service: 'registry.example',
            scope: 'repository:a/b:pull',
          },
        },
      ],
    ],
    [
      'names in any case, values without quotes, blanks around the marks',
      'BEARER Realm = https , SERVICE=x',
      [{ scheme: 'bearer', parameters: { realm: 'https', service: 'x' } }],
    ],
    [
      'two in one header, with commas within quotes',
      'Negotiate, Basic realm="a,b", Bearer realm="r"',
      [
        { scheme: 'negotiate', parameters: {} },
        { scheme: 'basic', parameters: { realm: 'a,b' } },
        { scheme: 'bearer', parameters: { realm: 'r' } },
      ],
    ],
    [
      'two headers',
      ['Basic realm="a"', 'Bearer realm="b"'],
      [
        { scheme: 'basic', parameters: { realm: 'a' } },
        { scheme: 'bearer', parameters: { realm: 'b' } },
      ],
    ],
    ['quotes within quotes', String.raw`Basic realm="a\"b\\c"`, [{ scheme: 'basic', parameters: { realm: 'a"b\\c' } }]],
    ['a parameter given twice: the first counts', 'Basic a=1, a=2', [{ scheme: 'basic', parameters: { a: '1' } }]],
    ['what comes before a fault', 'Basic realm="a", ="b"', [{ scheme: 'basic', parameters: { realm: 'a' } }]],
    ['quotes that do not end', 'Bearer realm="abc', [{ scheme: 'bearer', parameters: {} }]],
    ['nothing of rubbish', '=,=;"', []],
  ];
  for (const [what, header, challenges] of readings) {
    it(`is read: ${what}`, () => {
      expect(parseChallenges(header)).to.deep.equal(challenges);
    });
  }

  it('is read in time whatever its length', () => {
    expect(parseChallenges(`Bearer ${'a=",\\" '.repeat(100_000)}`)).to.have.length.below(10);
  });
});
