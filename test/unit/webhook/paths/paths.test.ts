import { expect } from 'chai';

import { withoutPathTokens } from '../../../../core/path-token.ts';
import { tokenOf } from '../../../../webhook/configuration/configuration.ts';
import { AcceptedPaths } from '../../../../webhook/paths/accepted.ts';
import { createPathToken, pathOf, tokenIn, tokenName, UNGUARDED } from '../../../../webhook/paths/path.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

describe('the paths of the webhook', () => {
  const [one, two] = [createPathToken(), createPathToken()];
  const clock = new ManualClock();
  const accepted = new AcceptedPaths(clock, 1000);

  it('have 160 bits that nobody can guess, in what a path to a Service may hold', () => {
    expect(one).to.match(/^[0-9a-f]{40}$/);
    expect(one).to.not.equal(two);
    expect(tokenName(one)).to.not.contain(one).and.not.equal(tokenName(two));
  });

  it('are answered with any of the accepted tokens, whatever the query is', () => {
    accepted.set([one, two]);
    expect(accepted.entryOf(`/mutate/${one}/ignore?timeout=5s`)).to.equal('ignore');
    expect(accepted.entryOf(`/mutate/${two}/fail`)).to.equal('fail');
    expect(accepted.entryOf(`/mutate/${one}/probe?timeout=5s`)).to.equal('probe');
  });

  const refused: readonly [string, string | undefined][] = [
    ['no URL', undefined],
    ['no token', '/mutate/ignore?timeout=5s'],
    ['an unknown token', `/mutate/${createPathToken()}/ignore`],
    ['a token that begins the same', `/mutate/${one.slice(0, -1)}${one.endsWith('a') ? 'b' : 'a'}/ignore`],
    ['a shorter token', `/mutate/${one.slice(1)}/ignore`],
    ['a longer token', `/mutate/${one}a/ignore`],
    ['a token without an entry', `/mutate/${one}/`],
    ['an unknown entry', `/mutate/${one}/ignored`],
    ['something before it', `/x/mutate/${one}/ignore`],
    ['characters that are no bytes', `/mutate/${'ā'.repeat(40)}/ignore`],
  ];
  for (const [what, url] of refused)
    it(`are not answered with ${what}`, () => {
      const fresh = new AcceptedPaths(clock, 1000);
      fresh.set([one, two]);
      expect(fresh.entryOf(url)).to.equal(undefined);
    });

  it('have a shape, whatever the token is', () => {
    expect(accepted.isShaped(`/mutate/${createPathToken()}/ignore?timeout=5s`)).to.equal(true);
    for (const url of [undefined, '/mutate/ignore', `/mutate/${one}`, `/mutate/${one}/x`, `/mutate/${one}a/fail`])
      expect(accepted.isShaped(url), url).to.equal(false);
    expect(accepted.isShaped(`/mutate/${'z'.repeat(40)}/fail`)).to.equal(false);
  });

  it('are answered without a token only while that is accepted', () => {
    accepted.set([one, UNGUARDED]);
    expect(accepted.entryOf('/mutate/ignore?timeout=5s')).to.equal('ignore');
    expect(accepted.entryOf(`/mutate/${one}/ignore`)).to.equal('ignore');
    const strict = new AcceptedPaths(clock, 1000);
    strict.set([one]);
    expect(strict.entryOf('/mutate/ignore')).to.equal(undefined);
  });

  it('are answered for a while after they were left out, which no later change makes longer', async () => {
    const urls = [`/mutate/${one}/fail`, '/mutate/fail'];
    const paths = new AcceptedPaths(clock, 1000);
    paths.set([one, UNGUARDED]);
    await clock.advance(5000);
    paths.set([two]);
    await clock.advance(999);
    expect(urls.map((url) => paths.entryOf(url))).to.deep.equal(['fail', 'fail']);
    paths.set([two, createPathToken()]);
    await clock.advance(1);
    expect(urls.map((url) => paths.entryOf(url))).to.deep.equal([undefined, undefined]);
    expect(paths.entryOf(`/mutate/${two}/fail`)).to.equal('fail');
    paths.set([one, UNGUARDED]);
    await clock.advance(5000);
    expect(urls.map((url) => paths.entryOf(url))).to.deep.equal(['fail', 'fail']);
  });

  it('tell their token where they are of the entry', () => {
    expect([tokenIn(pathOf('fail', one), 'fail'), tokenIn('/mutate/fail', 'fail')]).to.deep.equal([one, UNGUARDED]);
    expect([tokenIn(pathOf('fail', one), 'ignore'), tokenIn('/mutate/x/fail', 'fail')]).to.deep.equal([
      undefined,
      undefined,
    ]);
  });

  it('tell it only if the configuration leads to this webhook', () => {
    const service = { name: 'operator', namespace: 'vault', port: 443 };
    const path = pathOf('fail', one);
    expect(tokenOf({ service: { ...service, path }, caBundle: 'x' }, { service }, 'fail')).to.equal(one);
    expect(tokenOf({ service: { ...service, port: 444, path } }, { service }, 'fail')).to.equal(undefined);
    const url = 'https://10.0.0.1:9443/';
    expect(tokenOf({ url: `https://10.0.0.1:9443${path}` }, { url }, 'fail')).to.equal(one);
    expect(tokenOf({ url: `https://10.0.0.2:9443${path}` }, { url }, 'fail')).to.equal(undefined);
    expect(tokenOf({ url: `https://10.0.0.1:9443${path}` }, { service }, 'fail')).to.equal(undefined);
  });

  it('are shown without their token', () => {
    const text = `failed to call webhook: Post "https://h:443${pathOf('fail', one)}?timeout=5s": dial tcp; see ${pathOf('ignore', two)}`;
    expect(withoutPathTokens(text)).to.equal(
      'failed to call webhook: Post "https://h:443/mutate/…/fail?timeout=5s": dial tcp; see /mutate/…/ignore',
    );
    expect(withoutPathTokens(`cut off: /mutate/${one}`)).to.not.contain(one);
  });
});
