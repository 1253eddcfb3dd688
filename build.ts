/**
 * Builds dist/: the operator as one JavaScript file, which is what its image runs, and vault-env.
 */
import { build, type Plugin } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = import.meta.dirname;
const dist = join(root, 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/**
 * Keeps client-node's generated models out. @dot-i/k8s-operator is CommonJS and requires all of client-node, so nothing
 * would be shaken off: 20 MB instead of 4, and 60 MB of memory. What the stock Operator names but the adapter never lets
 * it use becomes an empty class; what the operator does use (KubeConfig) is whole.
 */
const leanClientNode: Plugin = {
  name: 'lean-client-node',
  setup(bundle) {
    const clientNode = join(root, 'node_modules/@kubernetes/client-node/dist');
    const stands: Readonly<Record<string, string>> = {
      client: `export { KubeConfig } from './config.js';
        export class CoreV1Api {} export class ApiextensionsV1Api {} export class Watch {}
        export const loadYaml = undefined;`,
      gen: `export { createConfiguration } from './gen/configuration.js';
        export { ServerConfiguration } from './gen/servers.js';`,
      gaxios: 'export const instance = {};',
    };
    const stand = (path: string): { path: string; namespace: string } => ({ path, namespace: 'lean' });
    bundle.onResolve({ filter: /^@kubernetes\/client-node$/ }, () => stand('client'));
    bundle.onResolve({ filter: /^gaxios$/ }, () => stand('gaxios'));
    bundle.onResolve({ filter: /^\.\/gen\/index\.js$/ }, ({ importer }) =>
      importer === join(clientNode, 'config.js') ? stand('gen') : undefined,
    );
    bundle.onLoad({ filter: /.*/, namespace: 'lean' }, ({ path }) => ({
      contents: stands[path] ?? '',
      resolveDir: clientNode,
      loader: 'js',
    }));
  },
};

mkdirSync(dist, { recursive: true });
await build({
  entryPoints: [join(root, 'operator/main.ts')],
  outfile: join(dist, 'operator.mjs'),
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // names stay: a stack trace in the log has to lead somewhere
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
  plugins: [leanClientNode],
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
