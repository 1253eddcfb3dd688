import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { VAULT_ENV_LINKER } from '../../build/go-modules.ts';
import { goBuild } from '../../build/tools/go-build.ts';
import { findTool } from '../../build/tools/tools.ts';

describe('vault-env for linux/arm64', function () {
  this.timeout(300_000); // a first build compiles Go's standard library as well
  const dir = mkdtempSync(join(tmpdir(), 'arm64-'));
  const executable = join(dir, 'vault-env');

  before(() =>
    goBuild(
      join(import.meta.dirname, '../../vault-env'),
      '.',
      executable,
      [`-ldflags=${VAULT_ENV_LINKER} -X main.version=1.2.3`],
      {
        GOOS: 'linux',
        GOARCH: 'arm64',
      },
    ),
  );
  after(() => rmSync(dir, { recursive: true }));

  it('is an executable for that processor', () => {
    const head = readFileSync(executable).subarray(0, 20);
    const EM_AARCH64 = 183; // elf.h
    expect(head.toString('latin1', 1, 4)).to.equal('ELF');
    expect(head.readUInt16LE(18)).to.equal(EM_AARCH64);
  });

  describe('runs', () => {
    let emulator: string;

    before(function () {
      const found = findTool('qemu-aarch64');
      if (found === undefined) {
        console.log('        skipped: there is no qemu-aarch64-static; node build/tools/tools.ts qemu-aarch64 gets it');
        this.skip();
      }
      emulator = found.path;
    });

    const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): { status: number | null; said: string } => {
      const { status, stdout, stderr } = spawnSync(emulator, [executable, ...args], { env, encoding: 'utf8' });
      return { status, said: stdout + stderr };
    };

    it('and says what it is', () => {
      const { status, said } = run(['--version']);
      expect(status).to.equal(0);
      expect(said).to.match(/^vault-env 1\.2\.3 \(go[\d.]+ linux\/arm64\)\n$/);
    });

    it('and becomes the program', () => {
      expect(run(['--', 'sh', '-c', 'echo $A; exit 7'], { PATH: '/bin:/usr/bin', A: 'b' })).to.deep.equal({
        status: 7,
        said: 'b\n',
      });
    });

    it('and leaves the variables of Go to the program', () => {
      const own = { PATH: '/bin:/usr/bin', GOMEMLIMIT: '1G', GODEBUG: 'inittrace=1' };
      expect(run(['--', 'sh', '-c', 'echo $GOMEMLIMIT $GODEBUG'], own)).to.deep.equal({
        status: 0,
        said: '1G inittrace=1\n',
      });
    });

    it('and rejects what it cannot resolve', () => {
      const { status, said } = run(['true'], { PATH: '/bin:/usr/bin', A: 'vault:secret/data/a' });
      expect(status).to.be.above(0);
      expect(said).to.contain('A: malformed reference at column 20');
    });
  });
});
