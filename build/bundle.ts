/**
 * Builds dist/: the operator as one JavaScript file, which is what its image runs, and vault-env, for this machine and
 * for the images. The same sources yield the same bytes, on every machine.
 */
import { build, type Plugin } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { bundledPackages, noticesOf } from './bundled.ts';
import { VAULT_ENV_LINKER } from './go-modules.ts';
import { ARCHITECTURES } from './runtime/pins.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const modules = join(root, 'node_modules');
const clientNode = join(modules, '@kubernetes/client-node/dist');

/** Code that replaces a module. `within`: only for imports from this file. */
interface Stand {
  readonly from: RegExp;
  readonly within?: string;
  readonly code: string;
}

/**
 * Keeps out what dependencies import but this program never uses: most of them are CommonJS, so tree shaking does not
 * work. 2 MB instead of 20, and 70 MB less memory.
 */
const stands: readonly Stand[] = [
  // @dot-i/k8s-operator requires all of client-node, with its generated models. What only the stock Operator uses
  // becomes an empty class; what the operator uses (KubeConfig) is kept.
  {
    from: /^@kubernetes\/client-node$/,
    code: `export { KubeConfig } from '${clientNode}/config.js';
      export class CoreV1Api {} export class ApiextensionsV1Api {} export class Watch {}
      export const loadYaml = undefined;`,
  },
  // only for typed clients; the stock Operator creates one that nothing calls
  {
    from: /^\.\/gen\/index\.js$/,
    within: join(clientNode, 'config.js'),
    code: `export { ServerConfiguration } from '${clientNode}/gen/servers.js';
      export const createConfiguration = (configuration) => configuration;`,
  },
  { from: /^\.\/isomorphic-fetch\.js$/, within: join(clientNode, 'gen/http/http.js'), code: '' },
  { from: /^gaxios$/, code: 'export const instance = {};' },
  // loadKubeConfig refuses SOCKS proxies
  { from: /^socks-proxy-agent$/, code: 'export class SocksProxyAgent {}' },
  { from: /^socks$/, code: 'export class SocksClient {}' },
  // node-vault's transport, which NodeVaultClient replaces
  { from: /^axios$/, code: 'export default {};' },
  // prom-client reads the current span for exemplars, which are off
  { from: /^@opentelemetry\/api$/, code: 'export const trace = undefined; export const context = undefined;' },
  // Its index.js also loads fetch, WebSocket, caches and mocks. The dispatchers get their methods as they do there.
  {
    from: /^undici$/,
    code: `import Dispatcher from '${modules}/undici/lib/dispatcher/dispatcher.js';
      import api from '${modules}/undici/lib/api/index.js';
      Object.assign(Dispatcher.prototype, api);
      export { default as Agent } from '${modules}/undici/lib/dispatcher/agent.js';
      export { default as EnvHttpProxyAgent } from '${modules}/undici/lib/dispatcher/env-http-proxy-agent.js';
      export { default as ProxyAgent } from '${modules}/undici/lib/dispatcher/proxy-agent.js';`,
  },
  // An import of node:http reads all its exports, including WebSocket, for which Node compiles 760 kB of its own
  // undici.
  { from: /^(node:)?http$/, code: "module.exports = process.getBuiltinModule('node:http');" },
];

const leanDependencies: Plugin = {
  name: 'lean-dependencies',
  setup(bundle) {
    for (const [index, { from, within }] of stands.entries()) {
      bundle.onResolve({ filter: from }, ({ importer }) =>
        within === undefined || importer === within ? { path: String(index), namespace: 'lean' } : undefined,
      );
    }
    bundle.onLoad({ filter: /.*/, namespace: 'lean' }, ({ path }) => ({
      contents: stands[Number(path)]?.code ?? '',
      resolveDir: root,
      loader: 'js',
    }));
  },
};

mkdirSync(dist, { recursive: true });
let begun = Date.now();
const { metafile } = await build({
  absWorkingDir: root,
  metafile: true,
  entryPoints: [join(root, 'operator/main.ts')],
  outfile: join(dist, 'operator.mjs'),
  bundle: true,
  // a checkout whose node_modules is a link yields the same
  preserveSymlinks: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // keep names: a stack trace in the log has to be readable
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
  plugins: [leanDependencies],
  // @dot-i/k8s-operator and node-vault are CommonJS: in an ES module require() has to be created for them.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  // ws loads these by require() if they exist; it works without.
  external: ['bufferutil', 'utf-8-validate'],
});
built('operator.mjs');
const bundled = bundledPackages(metafile, root);
writeFileSync(join(dist, 'bundled.json'), JSON.stringify(bundled, undefined, 2));
const legalComments = readFileSync(join(dist, 'operator.mjs.LEGAL.txt'), 'utf8');
writeFileSync(join(dist, 'bundled-licenses.txt'), `${noticesOf(bundled, root)}\n\n\n${legalComments}`);
copyFileSync(join(root, 'crds/vaultinjectionpolicies.yaml'), join(dist, 'vaultinjectionpolicies.yaml'));

/**
 * What would let a build differ from one machine to the next: the user's flags, workspace and settings (go env -w), and
 * levels of processors. Beside it -trimpath leaves out paths, and -buildvcs=false whether this is a checkout.
 */
const SAME_EVERYWHERE = {
  ...{ CGO_ENABLED: '0', GOENV: 'off', GOFLAGS: '', GOWORK: 'off', GOEXPERIMENT: '', GOFIPS140: 'off' },
  ...{ GOAMD64: 'v1', GOARM64: 'v8.0' },
};

/** Builds vault-env into dist/`name`, for this machine unless `platform` (GOOS, GOARCH) says otherwise. */
function buildVaultEnv(name: string, platform: NodeJS.ProcessEnv = {}): void {
  const { error, status } = spawnSync(
    'go',
    [
      ...['build', '-trimpath', '-buildvcs=false', '-ldflags', `${VAULT_ENV_LINKER} -X main.version=${version}`],
      // 60 kB less: what takes time here is in Go's own packages, or waits for Vault
      ...['-gcflags', 'vaultinjection.dev/...=-l'],
      ...['-o', join(dist, name), '.'],
    ],
    { cwd: join(root, 'vault-env'), env: { ...process.env, ...SAME_EVERYWHERE, ...platform }, stdio: 'inherit' },
  );
  if (error) throw new Error(`go could not be run (${error.message}): install Go 1.26 or newer`);
  if (status === 0) built(name);
  else process.exitCode = status ?? 1;
}

/** Prints what was built and how long it took. */
function built(name: string): void {
  const size = (statSync(join(dist, name)).size / 2 ** 20).toFixed(1);
  console.log(`== dist/${name}: ${size} MiB (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  begun = Date.now();
}

buildVaultEnv('vault-env');
for (const architecture of ARCHITECTURES) {
  buildVaultEnv(`vault-env-linux-${architecture}`, { GOOS: 'linux', GOARCH: architecture });
}
