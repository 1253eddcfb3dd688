import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { notesFor, versionOfTag } from '../../../build/changelog.ts';

const ROOT = join(import.meta.dirname, '../../..');

const EXAMPLE = `# Changelog

## [Unreleased]

### Added

- c

## [1.1.0] - 2026-12-01

### Added

- b

### Fixed

- b2

## [1.0.0] - 2026-11-27

- a
`;

describe('the changelog', () => {
  it('has the notes of a version: all its sections, and none of another version', () => {
    expect(notesFor('1.1.0', EXAMPLE)).to.equal('### Added\n\n- b\n\n### Fixed\n\n- b2');
    expect(notesFor('1.0.0', EXAMPLE)).to.equal('- a');
  });

  it('has to name a version before it is released', () => {
    for (const version of ['1.0', '2.0.0', 'Unreleased']) {
      expect(() => notesFor(version, EXAMPLE)).to.throw(`no section "## [${version}] - DATE"`);
    }
  });

  it('belongs to the version of package.json', () => {
    expect(versionOfTag('v1.1.0', '1.1.0')).to.equal('1.1.0');
    expect(() => versionOfTag('v1.1.1', '1.1.0')).to.throw('the tag v1.1.1 is not v1.1.0');
    expect(() => versionOfTag('', '1.1.0')).to.throw('is not v1.1.0');
  });

  it('of this project has the format of keepachangelog.com', () => {
    const text = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
    const versions = Array.from(text.matchAll(/^## (.*)$/gm), ([, heading = '']) => heading);
    expect(versions[0]).to.equal('[Unreleased]');
    for (const heading of versions.slice(1)) expect(heading).to.match(/^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/);
    for (const [, kind] of text.matchAll(/^### (.*)$/gm)) {
      expect(kind).to.be.oneOf(['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']);
    }
  });
});
