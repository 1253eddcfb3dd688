import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import { accountToken, type TokenIssuer } from '../../../../operator/rotation/account-token.ts';
import { VaultFailure } from '../../../../operator/vault/metadata-port.ts';

const WHO = { serviceAccount: 'operator', audience: 'vault' };

describe('the token that the operator logs in to Vault with', () => {
  it('is one of the ServiceAccount for Vault, with the audience of Vault, as short-lived as possible', async () => {
    const asked: unknown[] = [];
    const issuer: TokenIssuer = {
      createToken: (...args) => {
        asked.push(args);
        return Promise.resolve('eyJ');
      },
    };
    expect(await accountToken(issuer, 'system')(WHO)).to.equal('eyJ');
    expect(asked).to.deep.equal([['system', 'operator', { audience: 'vault', expirationSeconds: 600 }]]);
  });

  for (const [what, error, message] of [
    ['may not have one', new ApiError(403, 'Forbidden', 'canary'), /operator in system \(403 Forbidden\)$/],
    ['hits a defect', new Error('canary'), /no usable answer/],
  ] as const) {
    it(`says so when it ${what}, and no more`, async () => {
      const token = accountToken({ createToken: () => Promise.reject(error) }, 'system');
      const failure: unknown = await token(WHO).catch((reason: unknown) => reason);
      expect(failure).to.be.instanceOf(VaultFailure).and.to.have.property('kind', 'NoToken');
      expect((failure as VaultFailure).message)
        .to.match(message)
        .and.not.to.contain('canary');
    });
  }
});
