import { expect } from 'chai';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';

import { changesIn, releaseChart, type ReleasedImage } from '../../../build/release-chart.ts';

const ROOT = join(import.meta.dirname, '../../..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const image = (name: string, digit: string): ReleasedImage => ({
  name: `ghcr.io:443/acme/${name}:${version}`,
  digest: digest(digit),
  archive: `${name}.tar`,
  platforms: { 'linux/amd64': digest('a'), 'linux/arm64': digest('b') },
});
const IMAGES = [image('vault-injection-operator', '1'), image('vault-env', '2')];
const NOTES = `The first version.

### Added

- A thing that is described on
  two lines.
- \`--flag\` does "this": a #hash too

### Security

- A hole is closed
`;

interface ImageValues {
  readonly registry: string;
  readonly repository: string;
  readonly digest: string;
}

describe('the chart of a release', () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'release-chart-')), 'chart');
  });
  afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
  const make = (source?: string): Readonly<Record<string, string>> => {
    releaseChart(folder, IMAGES, { notes: NOTES, source });
    return (parse(read('Chart.yaml')) as { annotations: Record<string, string> }).annotations;
  };

  it('names its images by digest, so that nobody can move a tag', () => {
    make();
    const values = parse(read('values.yaml')) as { image: ImageValues; injector: { image: ImageValues } };
    expect(values.image).to.include({
      registry: '',
      repository: 'ghcr.io:443/acme/vault-injection-operator',
      digest: digest('1'),
    });
    expect(values.injector.image).to.include({
      registry: '',
      repository: 'ghcr.io:443/acme/vault-env',
      digest: digest('2'),
    });
  });

  it('changes nothing else of the chart, comments included', () => {
    make();
    const before = readFileSync(join(ROOT, 'config/chart/values.yaml'), 'utf8').split('\n');
    const after = read('values.yaml').split('\n');
    expect(after.length).to.equal(before.length);
    expect(after.filter((line, i) => line !== before[i]).map((line) => line.trim().split(':')[0])).to.deep.equal([
      'registry',
      'repository',
      'digest',
      'registry',
      'repository',
      'digest',
    ]);
    expect(read('values.schema.json')).to.equal(readFileSync(join(ROOT, 'config/chart/values.schema.json'), 'utf8'));
    expect(existsSync(join(folder, 'templates/deployment.yaml'))).to.be.true;
  });

  it('has its licence and its changelog in it', () => {
    make();
    for (const file of ['LICENSE', 'NOTICE']) expect(read(file)).to.equal(readFileSync(join(ROOT, file), 'utf8'));
  });

  describe('tells Artifact Hub', () => {
    it('what changed, as the changelog says it', () => {
      const annotations = make();
      expect(parse(annotations['artifacthub.io/changes'] ?? '')).to.deep.equal([
        { kind: 'added', description: 'A thing that is described on two lines.' },
        { kind: 'added', description: '`--flag` does "this": a #hash too' },
        { kind: 'security', description: 'A hole is closed' },
      ]);
      expect(annotations['artifacthub.io/containsSecurityUpdates']).to.equal('true');
    });

    it('which images to scan', () => {
      expect(parse(make()['artifacthub.io/images'] ?? '')).to.deep.equal([
        {
          name: 'vault-injection-operator',
          image: `ghcr.io:443/acme/vault-injection-operator@${digest('1')}`,
          platforms: ['linux/amd64', 'linux/arm64'],
        },
        {
          name: 'vault-env',
          image: `ghcr.io:443/acme/vault-env@${digest('2')}`,
          platforms: ['linux/amd64', 'linux/arm64'],
        },
      ]);
    });

    it('which resources it has, with an example of each', () => {
      const annotations = make();
      const crds = parse(annotations['artifacthub.io/crds'] ?? '') as { kind: string; name: string; version: string }[];
      const examples = parse(annotations['artifacthub.io/crdsExamples'] ?? '') as { kind: string }[];
      expect(crds.map(({ kind, name, version: of }) => ({ kind, name, of }))).to.deep.equal([
        { kind: 'VaultInjectionPolicy', name: 'vaultinjectionpolicies.vaultinjection.dev', of: 'v1alpha1' },
      ]);
      expect(examples.map(({ kind }) => kind)).to.deep.equal(['VaultInjectionPolicy']);
    });

    it('what it is, in strings alone, as Helm wants annotations', () => {
      const annotations = make();
      expect(annotations).to.include({
        'artifacthub.io/category': 'security',
        'artifacthub.io/license': 'Apache-2.0',
        'artifacthub.io/operator': 'true',
        'artifacthub.io/operatorCapabilities': 'Basic Install',
        'artifacthub.io/prerelease': 'false',
      });
      for (const [name, value] of Object.entries(annotations)) expect(value, name).to.be.a('string');
    });

    it('where the source is, if that is known', () => {
      expect(make()).to.not.have.property('artifacthub.io/links');
      rmSync(folder, { recursive: true });
      const links = parse(make('https://git.example.com/acme/operator')['artifacthub.io/links'] ?? '') as {
        url: string;
      }[];
      expect(links.map(({ url }) => url)).to.include('https://git.example.com/acme/operator');
      expect((parse(read('Chart.yaml')) as { sources: string[] }).sources).to.deep.equal([
        'https://git.example.com/acme/operator',
      ]);
    });
  });

  it('is refused if an image is missing, or has another version', () => {
    expect(() => releaseChart(folder, IMAGES.slice(1), { notes: NOTES })).to.throw(
      'there is no image vault-injection-operator.tar: make images',
    );
    const [operator, vaultEnv] = IMAGES as [ReleasedImage, ReleasedImage];
    const old = { ...vaultEnv, name: 'ghcr.io/acme/vault-env:0.0.9' };
    expect(() => releaseChart(folder, [operator, old], { notes: NOTES })).to.throw(
      `ghcr.io/acme/vault-env:0.0.9 is not of version ${version}: make images`,
    );
    expect(existsSync(folder)).to.be.false;
  });

  it('knows a change by its section; text outside of one is no change', () => {
    expect(changesIn('Intro\n- not one\n\n### Fixed\n\n- one\n  - a detail\n\n- two\n')).to.deep.equal([
      { kind: 'fixed', description: 'one - a detail' },
      { kind: 'fixed', description: 'two' },
    ]);
    expect(changesIn('')).to.deep.equal([]);
  });
});
