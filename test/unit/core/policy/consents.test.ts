import { expect } from 'chai';
import { compilePolicy } from '../../../../core/policy/compile.ts';
import { consentsOf } from '../../../../core/policy/consents.ts';
import { defaults, policyOf, ruleOf } from '../../../support/example-policy.ts';

describe('the audience of tokens', () => {
  const audienceOf = (auth: object, tokenAudience: string = defaults.tokenAudience): string | undefined => {
    const compiled = compilePolicy(policyOf({ vault: { auth } }), { ...defaults, tokenAudience });
    return compiled.ok && !compiled.suspended ? compiled.rule.vault.auth.audience : undefined;
  };

  it('is what the policy says, else what the operator is told', () => {
    expect(audienceOf({ audience: 'https://vault' })).to.equal('https://vault');
    expect(audienceOf({})).to.equal('vault');
    expect(audienceOf({ method: 'JWT' }, 'eu')).to.equal('eu');
    expect(audienceOf({}, '')).to.equal('');
  });

  it("is the API server's own only if the policy says so, or the operator is told so", () => {
    expect(audienceOf({ audience: '' })).to.equal('');
  });

  it('is known to be for the API server if it is empty, or one that the API server accepts', () => {
    const isForAPIServer = (auth: object): boolean => ruleOf({ vault: { auth } }).vault.auth.isForAPIServer;
    expect(isForAPIServer({})).to.equal(false);
    expect(isForAPIServer({ audience: '' })).to.equal(true);
    expect(isForAPIServer({ audience: 'https://kubernetes.default.svc' })).to.equal(true);
    expect(isForAPIServer({ method: 'AWS' })).to.equal(false);
  });

  it('is none where no token is taken, so that what the operator is told changes no hash', () => {
    const aws = policyOf({ vault: { auth: { method: 'AWS' } } });
    const hashWith = (tokenAudience: string): unknown => {
      const compiled = compilePolicy(aws, { ...defaults, tokenAudience });
      return compiled.ok && !compiled.suspended && compiled.rule.hash;
    };
    expect(audienceOf({ method: 'AWS' })).to.equal('');
    expect(hashWith('vault')).to.equal(hashWith('eu'));
  });

  it('makes the same rule whether the policy or the operator says it', () => {
    const said = ruleOf({ vault: { auth: { audience: 'vault' } } });
    expect(ruleOf().hash).to.equal(said.hash);
    expect(ruleOf({ vault: { auth: { audience: '' } } }).hash).not.to.equal(said.hash);
  });
});

describe('what the author of a policy has agreed to', () => {
  it('is nothing by default', () => {
    expect(consentsOf(ruleOf())).to.deep.equal([]);
  });

  it('is that tokens and secrets travel unencrypted', () => {
    const rule = ruleOf({ vault: { address: 'http://vault', allowPlaintext: true } });
    expect(consentsOf(rule).join()).to.equal('tokens and secrets travel to Vault unencrypted (vault.allowPlaintext)');
  });

  it('is that the tokens are good for the API server', () => {
    expect(consentsOf(ruleOf({ vault: { auth: { audience: '' } } })).join()).to.contain('can use it at the API server');
    expect(consentsOf(ruleOf({ vault: { auth: { method: 'AWS' } } }))).to.deep.equal([]);
  });

  it('counts for the hash only where something is unencrypted', () => {
    const https = ruleOf();
    expect(ruleOf({ vault: { allowPlaintext: false } }).hash).to.equal(https.hash);
    expect(ruleOf({ vault: { allowPlaintext: true } })).to.deep.equal(https);
  });
});
