import { expect } from 'chai';

import { CheckHosts } from '../../../../operator/vault/check-hosts.ts';

describe('the Vaults whose health may be checked', () => {
  const NOT_ALLOWED = 'the operator may not ask it (setting vaultCheckHosts)';
  const BLOCKED = 'it is at an address that is only asked if the setting vaultCheckHosts names the host';
  const cases: readonly (readonly [setting: string, address: string, why: string | undefined])[] = [
    ['*', 'https://vault.example.com', undefined],
    ['*', 'https://10.0.0.1:8200', undefined],
    ['*', 'https://127.0.0.1:8200', BLOCKED],
    ['*', 'http://169.254.169.254/latest', BLOCKED],
    ['*', 'http://[::ffff:169.254.169.254]', BLOCKED],
    ['*', 'https://[64:ff9b::a9fe:a9fe]:8200', BLOCKED],
    ['*', 'http://2130706433:8200', BLOCKED],
    ['127.0.0.1', 'https://127.0.0.1:8200', undefined],
    ['127.0.0.1:8200', 'https://127.0.0.1:8200', undefined],
    ['127.0.0.1:8201', 'https://127.0.0.1:8200', NOT_ALLOWED],
    ['127.*', 'https://127.0.0.1:8200', BLOCKED],
    ['[::1]', 'https://[::1]:8200', undefined],
    ['*.example.com', 'https://vault.example.com:8200', undefined],
    ['*.example.com', 'https://example.com.evil.net', NOT_ALLOWED],
    ['Vault.Example.com', 'https://vault.example.com', undefined],
    ['none', 'https://vault.example.com', NOT_ALLOWED],
    ['', 'https://vault.example.com', NOT_ALLOWED],
  ];
  for (const [setting, address, why] of cases) {
    it(`by "${setting}": ${address} ${why === undefined ? 'is one' : 'is none'}`, () => {
      const { host } = new URL(address);
      const refusal = new CheckHosts(setting).refusal(address);
      expect(refusal).to.equal(why === undefined ? undefined : `the health of ${host} is not checked: ${why}`);
    });
  }

  it('include those that the operator may log in to', () => {
    const hosts = new CheckHosts('none', ['https://127.0.0.1:8200/vault']);
    expect(hosts.refusal('https://127.0.0.1:8200')).to.equal(undefined);
    expect(hosts.isNamed('https://127.0.0.1:8200')).to.equal(true);
    expect(hosts.refusal('https://127.0.0.1:8201')).to.contain(NOT_ALLOWED);
  });
});
