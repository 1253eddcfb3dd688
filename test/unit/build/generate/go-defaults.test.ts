import { expect } from 'chai';

import { goDefaults } from '../../../../build/generate/go-defaults.ts';

describe('the defaults of vault-env', () => {
  const text = goDefaults();
  const constants = [...text.matchAll(/^\t(\w+) += (.+?) +\/\/ spec\.(.+)$/gm)].map(([, ...parts]) => parts);

  const some = [
    ['VaultTimeout', '10 * time.Second', 'vault.timeout'],
    ['EnvironmentFromPathsOverwrite', 'false', 'environment.fromPaths.overwrite'],
    ['EnvironmentTransitMountPath', '"transit"', 'environment.transit.mountPath'],
    ['EnvironmentTransitBatchSize', '25', 'environment.transit.batchSize'],
    ['ProcessDelay', '0 * time.Second', 'process.delay'],
    ['ProcessRevokeToken', 'true', 'process.revokeToken'],
  ];
  for (const constant of some)
    it(`has ${constant.join(', ')}`, () => {
      expect(constants).to.deep.include(constant);
    });

  it('are those of what VAULT_ENV_CONFIG tells it, and of nothing that a pod has in volumes', () => {
    const sections = new Set(constants.map(([, , field]) => field?.split('.')[0]));
    expect([...sections]).to.deep.equal(['vault', 'environment', 'process']);
    expect(text).not.to.match(/TokenExpiration|CaRef/);
  });
});
