import { expect } from 'chai';

import { allowedVaults } from '../../../../operator/rotation/allowed-vaults.ts';

describe('the Vaults that the operator may log in to', () => {
  const cases: readonly [setting: string, address: string, namespace: string, allowed: boolean][] = [
    ['', 'https://vault:8200', '', false],
    ['https://vault:8200', 'https://vault:8200', '', true],
    ['https://vault:8200/', 'https://VAULT:8200', '', true],
    ['https://vault:443', 'https://vault', '', true],
    [' https://a , https://b ', 'https://b', '', true],
    ['https://vault:8200', 'http://vault:8200', '', false],
    ['https://vault:8200', 'https://vault:8201', '', false],
    ['https://vault', 'https://vault.evil.example', '', false],
    ['https://vault', 'https://vault/x', '', false],
    ['https://vault/x', 'https://vault/x', '', true],
    // the administrator of a Vault namespace would get the token
    ['https://vault', 'https://vault', 'team', false],
    ['https://vault#team', 'https://vault', 'team', true],
    ['https://vault#team', 'https://vault', '/team/', true],
    ['https://vault#team', 'https://vault', '', false],
    ['https://vault#team', 'https://vault', 'team/child', false],
    ['https://vault#*', 'https://vault', 'team/child', true],
    ['https://vault#*', 'https://vault', '', true],
  ];
  for (const [setting, address, namespace, allowed] of cases) {
    it(`"${setting}" ${allowed ? 'has' : 'has not'} ${address} ${namespace && `namespace ${namespace}`}`, () => {
      expect(allowedVaults(setting)(address, namespace)).to.equal(allowed);
    });
  }
});
