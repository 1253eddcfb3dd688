import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { readSettings } from '../../../operator/settings.ts';
import { CA } from '../../support/example-ca.ts';

const TEXT = readFileSync(join(import.meta.dirname, '../../../config/operator/settings.yaml'), 'utf8');

function identities(text: string): readonly unknown[] {
  const settings = readSettings(['--config', 'settings.yaml'], {}, (path) => (path.endsWith('.crt') ? CA : text));
  if (settings === 'help') throw new Error('asked for help');
  return settings.vaultIdentities;
}

describe('the settings file in config/operator', () => {
  it('lets the operator log in to no Vault', () => {
    expect(identities(TEXT)).to.deep.equal([]);
  });

  it('has an example in its comments that can be used as it is', () => {
    const example = [...TEXT.matchAll(/^# {3}(.*)$/gm)].map(([, line]) => line).join('\n');
    expect(identities(example)).to.have.length(1);
  });
});
