import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { debianArchive, mirrorsIn } from '../../../../build/runtime/fetch.ts';
import { filesOfDebianPackage } from '../../../../build/runtime/debian-package.ts';
import { ARCHITECTURES, archiveName, pins, type DebianPin } from '../../../../build/runtime/pins.ts';
import { runtimeFiles } from '../../../../build/runtime/runtime.ts';
import { tar } from '../../../../build/tar.ts';

// tar -cJ of ./lib/x/a.so.1 ("shared object") and a link to it, as dpkg-deb writes data.tar.xz
const DATA = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/AJpdABcLygcxjZX5tguQY3KNJg5PxG7HwzrWBwzhlpOMhc33E52jJ8PTdQ5g2XVHScwS+QPcfVIv' +
    'u7TrpIvyMuXB0h3IpGM/eV4M1y7gM0neSyHQWTBPVMmZn6Uk8EsxVSlncuj9lAJBLFEmuBWjFeRzOK67vKhHsats9lrkXbk5RrWFeQri4TEt0X1J' +
    '51Dxp4cH5zasI7R6pB3ATgAAAAAAngAMOPhn4AABtgGAUAAAjpVDs7HEZ/sCAAAAAARZWg==',
  'base64',
);

/** An archive in the format of deb(5). */
function deb(members: Readonly<Record<string, Buffer>>): Buffer {
  const parts = Object.entries(members).flatMap(([name, content]) => [
    Buffer.from(`${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`),
    Buffer.from(`${String(content.length).padEnd(10)}\`\n`),
    content,
    Buffer.alloc(content.length % 2, '\n'),
  ]);
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}

const PACKAGE = deb({ 'debian-binary': Buffer.from('2.0'), 'control.tar.xz': Buffer.from('odd'), 'data.tar.xz': DATA });

const PIN: DebianPin = {
  package: 'libx',
  source: 'x',
  version: '1-1',
  license: 'MIT',
  folder: 'pool/main/x/x',
  sha256: { amd64: createHash('sha256').update(PACKAGE).digest('hex'), arm64: '0'.repeat(64) },
  files: { 'lib/x/a.so.1': 'lib/TRIPLET/LOADER' },
};

describe('what the operator runs on', () => {
  describe('a Debian package', () => {
    it('has its files by path, without links', async () => {
      const files = await filesOfDebianPackage(PACKAGE);
      expect([...files].map(([path, content]) => [path, content.toString()])).to.deep.equal([
        ['lib/x/a.so.1', 'shared object'],
      ]);
    });

    it('is refused if it is something else, such as the error page of a proxy', async () => {
      for (const [bytes, said] of [
        [Buffer.from('<html>'), 'this is no Debian package'],
        [deb({ 'data.tar.zst': DATA }), 'the Debian package has no data.tar.xz'],
      ] as const) {
        const error: unknown = await filesOfDebianPackage(bytes).catch((thrown: unknown) => thrown);
        expect(error).to.be.an('error').with.property('message', said);
      }
    });
  });

  describe('files', () => {
    const node = gzipSync(
      tar([
        { path: 'package/bin/node', content: 'program' },
        { path: 'package/LICENSE', content: 'text' },
      ]),
    );
    const archives = { node: () => Promise.resolve(node), debian: () => Promise.resolve(PACKAGE) };

    for (const [architecture, library] of [
      ['amd64', '/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'],
      ['arm64', '/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1'],
    ] as const) {
      it(`for ${architecture} lie where its programs look for them`, async () => {
        const files = await runtimeFiles(architecture, archives, { debian: [PIN] });
        expect(files.map(({ path }) => path)).to.include.members(['/node', '/licenses/node', library]);
        expect(files.find(({ path }) => path === library)?.content?.toString()).to.equal('shared object');
      });
    }

    it('that the archive does not have stop the build', async () => {
      const pin = { ...PIN, files: { 'lib/x/a.so': '/lib/a.so' } };
      const error: unknown = await runtimeFiles('amd64', archives, { debian: [pin] }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).to.be.an('error').with.property('message').which.includes('lib/x/a.so is not in the archive');
    });
  });

  describe('archives', () => {
    let cache: string;
    let server: Server;
    let mirror: string;
    const asked: string[] = [];

    before(async () => {
      cache = mkdtempSync(join(tmpdir(), 'fetch-'));
      server = createServer(({ url = '' }, response) => {
        asked.push(url);
        response.statusCode = url.includes('libx') ? 200 : 404;
        response.end(PACKAGE);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`;
    });
    beforeEach(() => asked.splice(0));
    after(() => {
      server.close();
      rmSync(cache, { recursive: true });
    });

    const fetch = (pin: DebianPin, architecture: 'amd64' | 'arm64' = 'amd64'): Promise<unknown> =>
      debianArchive(pin, architecture, { DEBIAN_MIRROR: mirror, XDG_CACHE_HOME: cache }).then(
        (bytes) => bytes.toString('latin1'),
        (error: unknown) => (error as Error).message,
      );

    it('come from DEBIAN_MIRROR once, and then from the cache', async () => {
      expect(await fetch(PIN)).to.equal(PACKAGE.toString('latin1'));
      expect(await fetch(PIN)).to.equal(PACKAGE.toString('latin1'));
      expect(asked).to.deep.equal(['/debian/pool/main/x/x/libx_1-1_amd64.deb']);
    });

    it('are fetched again if the cache has been changed', async () => {
      const kept = join(cache, 'vault-injection-operator/image-inputs/libx_1-1_amd64.deb');
      await fetch(PIN);
      writeFileSync(kept, 'something else');
      expect(await fetch(PIN)).to.equal(PACKAGE.toString('latin1'));
      expect(readFileSync(kept)).to.deep.equal(PACKAGE);
    });

    it('come from the mirrors that apt would ask, each once', () => {
      const said = `'http://mirror.example.com/debian/dists/bookworm/InRelease' mirror.example.com_debian_dists_x 0 
'http://mirror.example.com/debian/dists/bookworm-updates/InRelease' mirror.example.com_debian_dists_y 0 
'http://mirror.example.com/debian-security/dists/bookworm-security/InRelease' z 0 
'http://mirror.example.com/debian/dists/bookworm/main/binary-amd64/Packages.xz' p 0 
`;
      expect(mirrorsIn(said)).to.deep.equal([
        'http://mirror.example.com/debian/',
        'http://mirror.example.com/debian-security/',
      ]);
      expect(mirrorsIn('')).to.deep.equal([]);
    });

    it('are refused if they are not what is pinned, and not kept', async () => {
      const refused = /^libx_1-1_arm64\.deb is not what build\/runtime\/pins\.json names: its hash is sha256-\S+, not/;
      expect(await fetch(PIN, 'arm64')).to.match(refused);
      expect(await fetch(PIN, 'arm64')).to.match(refused);
      expect(asked).to.have.lengthOf(2);
    });

    it('that the mirror no longer has are named', async () => {
      expect(await fetch({ ...PIN, package: 'gone' })).to.match(
        /^DEBIAN_MIRROR: http:\S+gone_1-1_amd64\.deb answers 404$/,
      );
    });
  });

  it('has the version of Node.js that the project uses everywhere else', () => {
    const { devDependencies } = JSON.parse(
      readFileSync(join(import.meta.dirname, '../../../../package.json'), 'utf8'),
    ) as {
      devDependencies: Record<string, string>;
    };
    expect(pins.node.version).to.equal(devDependencies.node);
  });

  it('is pinned by hash for each architecture', () => {
    for (const architecture of ARCHITECTURES) {
      expect(pins.node.packages[architecture].integrity).to.match(/^sha512-[\w+/]{86}==$/);
      for (const pin of pins.debian) {
        expect(pin.sha256[architecture], archiveName(pin, architecture)).to.match(/^[0-9a-f]{64}$/);
      }
    }
  });
});
