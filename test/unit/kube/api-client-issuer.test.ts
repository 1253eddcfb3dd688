import { expect } from 'chai';

import { ApiError } from '../../../kube/object-client.ts';
import { ApiClientScene } from '../../support/api-client-scene.ts';

describe('the issuer of tokens', () => {
  const scene = new ApiClientScene();

  it('is what the API server publishes', async () => {
    scene.server.failNext(
      200,
      1,
      {},
      { issuer: 'https://issuer.example.com', jwks_uri: 'https://issuer.example.com/jwks' },
    );
    expect(await scene.client.issuer()).to.equal('https://issuer.example.com');
    expect(scene.server.requests[0]?.url.pathname).to.equal('/.well-known/openid-configuration');
  });

  it('is none if that is no text, and an error if it may not be read', async () => {
    scene.server.failNext(200, 1, {}, { issuer: 7 });
    expect(await scene.client.issuer()).to.equal(undefined);
    scene.server.failNext(403, 1, {}, { kind: 'Status', reason: 'Forbidden' });
    const error: unknown = await scene.client.issuer().catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(ApiError).and.to.include({ code: 403 });
  });
});
