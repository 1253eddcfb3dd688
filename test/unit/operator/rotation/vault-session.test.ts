import { expect } from 'chai';

import { VaultSession } from '../../../../operator/rotation/vault-session.ts';
import { VaultFailure } from '../../../../operator/vault/metadata-port.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { CANARIES, ScriptedVault } from './scripted-vault.ts';

const DB = 'secret/metadata/shop/db';
const MINUTE = 60_000;

describe('a session with Vault', () => {
  let vault: ScriptedVault;
  let clock: ManualClock;
  let session: VaultSession;
  let jwt: () => Promise<string>;

  beforeEach(() => {
    vault = new ScriptedVault();
    vault.secrets.set(DB, 7);
    clock = new ManualClock();
    jwt = () => Promise.resolve(CANARIES.jwt);
    const connection = vault.connect({ address: 'https://v', caBundle: '', serverName: '', namespace: '' });
    session = new VaultSession({ connection, mountPath: 'kubernetes', role: 'operator', jwt: () => jwt(), clock });
  });

  it('logs in once for all that is read, at the same time or one after the other', async () => {
    const answers = await Promise.all([DB, DB, DB].map((path) => session.read(path)));
    answers.push(await session.read(DB));
    expect(answers).to.deep.equal(Array(4).fill({ kind: 'Version', version: 7 }));
    expect(vault.take('login')).to.deep.equal(['kubernetes operator']);
  });

  it('gets a new token after two thirds of the life of the old one, which it revokes', async () => {
    vault.tokenLifeMs = 30 * MINUTE;
    await session.read(DB);
    await clock.advance(20 * MINUTE - 1);
    await session.read(DB);
    expect(vault.take('login')).to.have.length(1);
    await clock.advance(1);
    await session.read(DB);
    expect(vault.take('login')).to.have.length(1);
    expect(vault.take('revoke')).to.deep.equal([`${CANARIES.token}-1`]);
    expect(vault.tokens).to.equal(1);
  });

  it('replaces a token in time when the clock was set back', async () => {
    vault.tokenLifeMs = 30 * MINUTE;
    await session.read(DB);
    clock.set(-60 * MINUTE);
    await clock.advance(20 * MINUTE);
    await session.read(DB);
    expect(vault.take('login')).to.have.length(2);
  });

  it('doubts a rejected token in time when the clock was set back', async () => {
    await session.read(DB);
    vault.forgetTokens();
    clock.set(-60 * MINUTE);
    await clock.advance(MINUTE);
    expect(await session.read(DB)).to.deep.equal({ kind: 'Version', version: 7 });
  });

  it('keeps a token that does not expire', async () => {
    await session.read(DB);
    await clock.advance(1_000 * MINUTE);
    await session.read(DB);
    expect(vault.take('login')).to.have.length(1);
  });

  it('logs in again when a valid token is rejected, once for all', async () => {
    await session.read(DB);
    vault.forgetTokens();
    await clock.advance(MINUTE);
    const answers = await Promise.all([DB, DB, DB].map((path) => session.read(path)));
    expect(answers).to.deep.equal(Array(3).fill({ kind: 'Version', version: 7 }));
    expect(vault.take('login')).to.have.length(2);
  });

  it('does not log in again each time that the role may not read a path', async () => {
    vault.secrets.set(DB, { kind: 'Forbidden' });
    for (let second = 0; second < 3_600; second += 10) {
      expect(await session.read(DB)).to.deep.equal({ kind: 'Forbidden' });
      await clock.advance(10_000);
    }
    // 1, 2, 4, 8, 16 and not yet 32 minutes apart
    expect(vault.take('login')).to.have.length(6);
  });

  it('doubts a token that is lost within a minute, whatever else the role may not read', async () => {
    const API = 'secret/metadata/shop/api';
    vault.secrets.set(API, { kind: 'Forbidden' });
    for (let second = 0; second < 3_600; second += 10) {
      await session.read(API);
      await session.read(DB);
      await clock.advance(10_000);
    }
    vault.forgetTokens();
    await clock.advance(MINUTE);
    expect(await session.read(DB)).to.deep.equal({ kind: 'Version', version: 7 });
  });

  it('reads a path that the role may now read with the existing token', async () => {
    vault.secrets.set(DB, { kind: 'Forbidden' });
    await session.read(DB);
    vault.secrets.set(DB, 8);
    expect(await session.read(DB)).to.deep.equal({ kind: 'Version', version: 8 });
    expect(vault.take('login')).to.have.length(1);
  });

  it('fails with what kept it from logging in, and tries again the next time', async () => {
    const refused = new VaultFailure('NoToken', 'none today');
    jwt = () => Promise.reject(refused);
    expect(await session.read(DB).catch((error: unknown) => error)).to.equal(refused);
    jwt = () => Promise.resolve(CANARIES.jwt);
    expect(await session.read(DB)).to.deep.equal({ kind: 'Version', version: 7 });
  });

  it('ends with its token revoked and its connections closed', async () => {
    await session.read(DB);
    await session.end();
    expect({ tokens: vault.tokens, closed: vault.closed }).to.deep.equal({ tokens: 0, closed: 1 });
  });

  it('ends while it logs in', async () => {
    const read = session.read(DB).catch((error: unknown) => error);
    await session.end();
    await read;
    expect({ tokens: vault.tokens, closed: vault.closed }).to.deep.equal({ tokens: 0, closed: 1 });
  });
});
