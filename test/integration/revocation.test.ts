import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { goBuild } from '../../build/tools/go-build.ts';
import { BUILDING_MS } from '../support/building.ts';
import { countLeft, startRevocationScene, type RevocationScene } from '../support/revocation-scene.ts';

const STARTS = 20;
const WAYS = [
  'direct',
  'HTTP/1.1',
  'Raft standby',
  'stand-in for nginx',
  'nginx, defaults',
  'nginx, keepalive',
  'HAProxy',
];
const WARNING =
  /^vault-env: warn: the token was not revoked \(requests reach Vault with another token.*\): it is valid until its TTL ends, 1h0m0s after the login\n$/;

describe('the revocation of tokens', function () {
  this.timeout(120_000);
  let scene: RevocationScene;
  let folder: string;
  let vaultEnv: string;

  before(async function () {
    this.timeout(BUILDING_MS);
    folder = mkdtempSync(join(tmpdir(), 'revocation-'));
    vaultEnv = join(folder, 'vault-env');
    await goBuild(join(import.meta.dirname, '../../vault-env'), '.', vaultEnv);
    scene = await startRevocationScene();
  });
  after(async () => {
    // before() may have failed
    await (scene as RevocationScene | undefined)?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const name of WAYS) {
    it(`leaves no token: ${name}`, async function () {
      const route = scene.routes.find((one) => one.name === name);
      if (route === undefined) {
        console.log(
          `      skipped: ${scene.missing.join(' and ')} is not installed (apt-get install nginx-light haproxy)`,
        );
        this.skip();
      }
      expect(await countLeft(vaultEnv, route, STARTS)).deep.equal({ failed: 0, warned: 0, left: 0, stderr: '' });
    });
  }

  describe('through a Vault Proxy', () => {
    for (const { lines, force } of [
      { lines: 'api_proxy { use_auto_auth_token = "force" }', force: true },
      { lines: 'api_proxy { use_auto_auth_token = "force" }\ncache {}', force: true },
      { lines: 'api_proxy { use_auto_auth_token = true }', force: false },
      { lines: 'api_proxy { use_auto_auth_token = true }\ncache {}', force: false },
    ]) {
      it(`never revokes the proxy's own token: ${lines.replace('\n', ', ')}`, async () => {
        const { route, hasToken } = await scene.proxy(lines);
        const { stderr, ...starts } = await countLeft(vaultEnv, route, STARTS);
        expect(await hasToken()).equal(true);
        // With "force", ours is never used, and nothing that we send could revoke it. Without, starts with the same
        // ServiceAccount token do not revoke each other's, although there is a cache.
        expect(starts).deep.equal({ failed: 0, warned: force ? STARTS : 0, left: force ? STARTS : 0 });
        expect(stderr).match(force ? WARNING : /^$/);
      });
    }
  });
});
