import { expect } from 'chai';
import { ApiAudiences, audiencesOf } from '../../../../operator/composition/api-audiences.ts';
import type { PooledKubeConfig } from '../../../../kube/kube-config.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';

const jwt = (claims: unknown): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

describe('the audiences that the API server accepts', () => {
  const cases: readonly [string, Record<string, string>, readonly string[]][] = [
    [
      'are those of the operator’s own token',
      bearer(jwt({ aud: ['https://kubernetes.default.svc', 'k3s'] })),
      ['https://kubernetes.default.svc', 'k3s'],
    ],
    ['may be one', { authorization: `Bearer ${jwt({ aud: 'api' })}` }, ['api']],
    ['are not known by a token without any', bearer(jwt({ sub: 'x' })), []],
    ['are not known by an audience that is no text', bearer(jwt({ aud: [1, { a: 'b' }] })), []],
    ['are not known by an opaque token', bearer('opaque'), []],
    ['are not known by a token that only looks like a JWT', bearer('a.b.c'), []],
    ['are not known by a client certificate', {}, []],
  ];
  for (const [what, headers, audiences] of cases) it(what, () => expect(audiencesOf(headers)).to.deep.equal(audiences));

  interface Scene {
    readonly headers?: Record<string, string>;
    readonly issuer?: () => Promise<string | undefined>;
  }

  /** Without headers there are no credentials. */
  async function started({
    headers,
    issuer = () => Promise.reject(new ApiError(404, 'NotFound', 'no such page')),
  }: Scene) {
    const { logger, lines } = testLog();
    const connection = (): Promise<unknown> =>
      headers === undefined ? Promise.reject(new Error('no token file')) : Promise.resolve({ headers });
    const kubeConfig = { connection } as unknown as PooledKubeConfig;
    const clock = new ManualClock();
    let changes = 0;
    const onChange = (): void => {
      changes += 1;
    };
    const audiences = new ApiAudiences({ kubeConfig, logger, clock, onChange, clientWithin: () => ({ issuer }) });
    await audiences.start();
    return { audiences, clock, changes: () => changes, known: audiences.known, log: JSON.stringify(lines) };
  }

  it('are those of the token where the API server tells no issuer', async () => {
    const { known, log } = await started({ headers: bearer(jwt({ aud: 'api' })) });
    expect({ known, log }).to.deep.equal({ known: ['api'], log: '[]' });
  });

  it('are the issuer of tokens where the operator has other credentials', async () => {
    const issuer = (): Promise<string> => Promise.resolve('https://issuer.example.com');
    expect((await started({ headers: {}, issuer })).known).to.deep.equal(['https://issuer.example.com']);
  });

  it('are both where the token of the operator is of another issuer', async () => {
    const issuer = (): Promise<string> => Promise.resolve('https://issuer.example.com');
    const { known } = await started({ headers: bearer(jwt({ aud: 'client-id' })), issuer });
    expect(known).to.deep.equal(['client-id', 'https://issuer.example.com']);
  });

  it('are not known without credentials or an answer, which the log says', async () => {
    for (const scene of [{}, { headers: {}, issuer: () => Promise.reject(new Error('away')) }]) {
      const { audiences, known, log } = await started(scene);
      expect(known).to.deep.equal([]);
      expect(log).to.contain('not all audiences of the API server are known yet');
      audiences.stop();
    }
  });

  it('are asked for until they are known, which is told', async () => {
    let isAway = true;
    const issuer = (): Promise<string> =>
      isAway ? Promise.reject(new Error('away')) : Promise.resolve('https://issuer.example.com');
    const { audiences, clock, changes, known } = await started({ headers: bearer(jwt({ aud: 'api' })), issuer });
    expect(known).to.deep.equal(['api']);
    await clock.advance(60_000);
    expect(changes()).to.equal(0);
    isAway = false;
    await clock.advance(60_000);
    expect(audiences.known).to.deep.equal(['api', 'https://issuer.example.com']);
    expect(changes()).to.equal(1);
  });
});
