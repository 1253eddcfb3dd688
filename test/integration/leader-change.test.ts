import { expect } from 'chai';

import { BUILDING_MS } from '../support/building.ts';
import { buildVaultEnv, startLeaderChanges, startRateLimit, type LeaderChanges } from '../support/leader-changes.ts';
import { startTokenReviews } from '../support/token-reviews.ts';

/** `make test-cluster` is the long version. */
describe('programs behind vault-env, before a Vault cluster', function () {
  this.timeout(120_000);
  let vaultEnv: Awaited<ReturnType<typeof buildVaultEnv>>;
  let cluster: LeaderChanges | undefined;

  before(async function () {
    this.timeout(BUILDING_MS);
    vaultEnv = await buildVaultEnv();
    cluster = await startLeaderChanges();
  });
  after(async () => {
    await cluster?.stop();
    vaultEnv.remove();
  });

  it('start while the leader steps down', async () => {
    expect(await cluster?.stepDown(vaultEnv.executable, 6)).to.include({ started: 6, failed: 0, said: '' });
  });

  it('start while no leader is there, after it was killed', async () => {
    expect(await cluster?.kill(vaultEnv.executable, 6)).to.include({ started: 6, failed: 0, said: '' });
  });

  it('start although the API server fails to review their token twice; if it never does, both causes are told', async () => {
    const reviews = await startTokenReviews();
    try {
      const started = await reviews.start(vaultEnv.executable, { times: 2 }, '30s');
      expect(started).to.include({ started: 1, failed: 0, said: '' });
      const { said } = await reviews.start(vaultEnv.executable, { times: Infinity }, '3s');
      expect(said).to.contain(
        'Either the role, its bound audience or its ServiceAccounts do not match, or Vault could not',
      );
    } finally {
      await reviews.stop();
    }
  });

  it('start all at once, although Vault answers only some of the requests in two seconds', async () => {
    const limited = await startRateLimit(20, '2s');
    try {
      expect(await limited.start(vaultEnv.executable, 15, '30s')).to.include({ started: 15, failed: 0, said: '' });
    } finally {
      await limited.stop();
    }
  });
});
