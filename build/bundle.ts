/**
 * Builds dist/: the operator as one JavaScript file, which is what its image runs, a second one that it loads where traces are
 * on, and vault-env, for this machine and for the images. The same sources yield the same bytes, on every machine.
 */
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
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

const HTTP = /^(node:)?http$/;

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
  // prom-client reads the current span for exemplars, which are off; only tracing.mjs uses the real one
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
  { from: HTTP, code: "module.exports = process.getBuiltinModule('node:http');" },
];
const isHttp = ({ from }: Stand): boolean => from === HTTP;

/** Replaces modules by code. */
function replacing(replaced: readonly Stand[]): Plugin {
  return {
    name: 'lean-dependencies',
    setup(bundle) {
      for (const [index, { from, within }] of replaced.entries()) {
        bundle.onResolve({ filter: from }, ({ importer }) =>
          within === undefined || importer === within ? { path: String(index), namespace: 'lean' } : undefined,
        );
      }
      bundle.onLoad({ filter: /.*/, namespace: 'lean' }, ({ path }) => ({
        contents: replaced[Number(path)]?.code ?? '',
        resolveDir: root,
        loader: 'js',
      }));
    },
  };
}

/** OpenTelemetry's SDK is a file of its own, which a process without traces never reads. */
const tracingApart: Plugin = {
  name: 'tracing-apart',
  setup(bundle) {
    bundle.onResolve({ filter: /\/tracing\/sdk\.ts$/ }, () => ({ path: './tracing.mjs', external: true }));
  },
};

/** Bundles a program into dist/`name`; resolves with what esbuild says about it. */
async function bundle(name: string, source: string, plugins: readonly Plugin[]): Promise<Metafile> {
  const options = {
    absWorkingDir: root,
    metafile: true,
    entryPoints: [join(root, source)],
    outfile: join(dist, name),
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
    plugins: [...plugins],
    // @dot-i/k8s-operator and node-vault are CommonJS: in an ES module require() has to be created for them.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    // ws loads these by require() if they exist; it works without.
    external: ['bufferutil', 'utf-8-validate'],
  } as const satisfies BuildOptions;
  const { metafile } = await build(options);
  built(name);
  return metafile;
}

mkdirSync(dist, { recursive: true });
let begun = Date.now();
const outputs = {
  ...(await bundle('operator.mjs', 'operator/main.ts', [tracingApart, replacing(stands)])).outputs,
  ...(await bundle('tracing.mjs', 'operator/tracing/sdk.ts', [replacing(stands.filter(isHttp))])).outputs,
};
const bundled = bundledPackages({ outputs }, root);
writeFileSync(join(dist, 'bundled.json'), JSON.stringify(bundled, undefined, 2));
// of the files that have any
const legalComments = Object.keys(outputs)
  .filter((file) => file.endsWith('.LEGAL.txt'))
  .map((file) => readFileSync(join(root, file), 'utf8'))
  .join('\n\n');
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
