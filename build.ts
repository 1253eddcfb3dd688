/**
 * Builds dist/: the operator as one JavaScript file (what the image runs: a fifth of a second to start instead of
 * half a second, and 40 MB less memory, because client-node's unused API groups fall away) and vault-env.
 */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = import.meta.dirname;
const dist = join(root, 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

mkdirSync(dist, { recursive: true });
await build({
  entryPoints: [join(root, 'operator/main.ts')],
  outfile: join(dist, 'operator.mjs'),
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  minifySyntax: true,
  keepNames: true,
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
  // @dot-i/k8s-operator and node-vault are CommonJS: in an ES module their require() must be made.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  // ws loads these by require() when they are there; it works without.
  external: ['bufferutil', 'utf-8-validate'],
});
copyFileSync(join(root, 'crds/vaultinjectionpolicies.yaml'), join(dist, 'vaultinjectionpolicies.yaml'));

const go = spawnSync(
  'go',
  ['build', '-trimpath', '-ldflags', `-s -w -X main.version=${version}`, '-o', join(dist, 'vault-env'), '.'],
  { cwd: join(root, 'vault-env'), env: { ...process.env, CGO_ENABLED: '0' }, stdio: 'inherit' },
);
if (go.error) throw new Error(`go could not be run (${go.error.message}): install Go 1.26 or newer`);
process.exitCode = go.status ?? 1;
