/**
 * The ways from a pod to Vault that decide whether the revocation of a token arrives: directly over HTTP/2 and HTTP/1.1,
 * through the standby of a Raft cluster, and through proxies. A proxy that gives up what its client no longer waits for
 * is there in every run as a stand-in; nginx and HAProxy where they are installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from './ports.ts';
import { startRaft } from './raft.ts';
import { enableOwnJwtAuth, writePolicy } from './vault-engines.ts';
import { startVault, writeSecret, type Json, type Vault } from './vault.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

/** One way to Vault. */
export interface Route {
  readonly name: string;
  /** Settings of vault-env: VAULT_ENV_CONFIG and one reference. */
  readonly env: Readonly<Record<string, string>>;
  /** How many tokens Vault knows. */
  readonly tokens: () => Promise<number>;
}

export interface Starts {
  /** Starts whose program did not run. */
  readonly failed: number;
  /** Starts that said that their token was not revoked. */
  readonly warned: number;
  /** Tokens that live on. */
  readonly left: number;
  readonly stderr: string;
}

export interface RevocationScene {
  readonly routes: readonly Route[];
  /** Names of programs that are not installed, whose routes are missing. */
  readonly missing: readonly string[];
  /** A Vault Proxy before the first Vault, with these lines in its configuration, and its own token by auto-auth. */
  proxy(lines: string): Promise<VaultProxy>;
  stop(): Promise<void>;
}

export interface VaultProxy {
  readonly route: Route;
  /** Whether Vault still knows the proxy's own token. */
  readonly hasToken: () => Promise<boolean>;
}

type Api = Pick<Vault, 'api'>;

// Long enough for a program's exec to close the connection before its request is forwarded.
const STAND_IN_DELAY_MS = 20;
// A request that is still on its way when its program has ended may arrive yet.
const SETTLE_MS = 5_000;

export async function startRevocationScene(): Promise<RevocationScene> {
  const started: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (const part of started.splice(0).reverse()) await part.stop();
  };
  try {
    const workspace = await openWorkspace('revocation');
    started.push({ stop: () => workspace.close() });
    const vault = await startVault();
    started.push(vault);
    const raft = await startRaft(2, { tls: true });
    started.push(raft);
    const cluster: Api = { api: (method, path, body) => raft.api(method, path, body) };
    const jwts = [await prepare(vault, workspace, 'vault'), await prepare(cluster, workspace, 'raft')];
    await raft.api('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }).catch(() => undefined);
    await secretIn(cluster);
    await secretIn(vault);
    const standby = raft.addresses[1 - (await raft.leader())] ?? '';
    const single = (name: string, address: string): Route => route(name, vault, address, vault.caPem, jwts[0] ?? '');
    const standIn = await startStandIn(vault.address);
    started.push(standIn);
    const installed = (name: string): boolean => spawnSync(name, ['-v']).status === 0;
    const routes = [
      single('direct', vault.tlsAddress),
      single('HTTP/1.1', vault.address),
      route('Raft standby', cluster, standby, raft.caPem, jwts[1] ?? ''),
      single('stand-in for nginx', standIn.address),
      ...(installed('nginx') ? await nginxRoutes(workspace, vault, single) : []),
      ...(installed('haproxy') ? [single('HAProxy', await startHAProxy(workspace, vault.address))] : []),
    ];
    return {
      routes,
      missing: ['nginx', 'haproxy'].filter((name) => !installed(name)),
      proxy: (lines) => startVaultProxy(workspace, vault, lines, single),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A role that may read one secret; returns the file with a JWT for it. */
async function prepare(vault: Api, workspace: Workspace, name: string): Promise<string> {
  await writePolicy(vault, 'shop', ['path "secret/data/shop" { capabilities = ["read"] }']);
  const jwt = await enableOwnJwtAuth(vault, 'shop', { policies: ['shop'], ttl: '1h' });
  return workspace.write(`${name}.jwt`, jwt());
}

async function secretIn(vault: Api): Promise<void> {
  const until = Date.now() + 10_000; // a KV mount upgrades itself for a moment
  for (;;) {
    try {
      await writeSecret(vault as Vault, 'secret/data/shop', { key: 'value' });
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(100);
    }
  }
}

function route(name: string, vault: Api, address: string, ca: string, jwt: string): Route {
  const plain = address.startsWith('http:');
  const auth = { method: 'JWT', mountPath: 'jwt', role: 'shop', tokenPath: jwt };
  const tls = plain ? { allowPlaintext: true } : { tls: { caBundle: ca } };
  const config = { vault: { address, timeout: '20s', ...tls, auth } };
  return {
    name,
    env: { VAULT_ENV_CONFIG: JSON.stringify(config), SECRET: 'vault:secret/data/shop#key' },
    tokens: async () => {
      const { data } = await vault.api('LIST', 'auth/token/accessors');
      return (data as { keys: string[] }).keys.length;
    },
  };
}

/** Starts vault-env (the executable `program`) `count` times, `width` at once, and counts the tokens that are left. */
export async function countLeft(program: string, { env, tokens }: Route, count: number, width = 4): Promise<Starts> {
  const before = await tokens();
  let begun = 0;
  const result = { failed: 0, warned: 0, stderr: '' };
  const worker = async (): Promise<void> => {
    while (begun++ < count) {
      const { status, stdout, stderr } = await run([program, '--', '/bin/sh', '-c', 'echo "$SECRET"'], env);
      if (status !== 0 || stdout !== 'value\n') result.failed++;
      if (stderr.includes('the token was not revoked')) result.warned++;
      result.stderr = stderr || result.stderr;
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  const until = Date.now() + SETTLE_MS;
  while ((await tokens()) > before && Date.now() < until) await sleep(100);
  return { ...result, left: (await tokens()) - before };
}

interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run([program = '', ...args]: readonly string[], env: Readonly<Record<string, string>>): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { PATH: '/usr/bin:/bin', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/**
 * A proxy that closes its connection to Vault as soon as its client's is closed, as nginx does unless
 * proxy_ignore_client_abort is on. It forwards a moment later than it could, so that the order of the two is certain.
 */
async function startStandIn(vault: string): Promise<{ readonly address: string; stop(): Promise<void> }> {
  const server: Server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.once('end', () => {
      const timer = setTimeout(() => {
        const { method, url, headers } = incoming;
        const outgoing = forward(
          `${vault}${url ?? ''}`,
          { method: method ?? 'GET', headers, agent: false },
          (answer) => {
            response.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(response);
          },
        );
        outgoing.once('error', () => response.destroy());
        response.once('close', () => outgoing.destroy());
        outgoing.end(Buffer.concat(chunks));
      }, STAND_IN_DELAY_MS);
      response.once('close', () => clearTimeout(timer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** With its defaults, and with connections to Vault that are kept. */
async function nginxRoutes(
  workspace: Workspace,
  { address }: Vault,
  single: (name: string, address: string) => Route,
): Promise<Route[]> {
  const [defaults, keepalive] = [await freePort(), await freePort()];
  const folder = join(workspace.dir, 'nginx');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const file = workspace.write(
    'nginx/nginx.conf',
    `daemon off; pid ${folder}/pid; error_log stderr; events {}
     http { access_log off; ${temporary.join(' ')}
       upstream kept { server ${new URL(address).host}; keepalive 16; }
       server { listen 127.0.0.1:${defaults}; location / { proxy_pass ${address}; } }
       server { listen 127.0.0.1:${keepalive};
         location / { proxy_pass http://kept; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`,
  );
  const user = process.getuid?.() === 0 ? ['-g', 'user root;'] : [];
  await startProxy(workspace, 'nginx', ['nginx', '-p', folder, '-c', file, ...user], keepalive);
  return [
    single('nginx, defaults', `http://127.0.0.1:${defaults}`),
    single('nginx, keepalive', `http://127.0.0.1:${keepalive}`),
  ];
}

async function startHAProxy(workspace: Workspace, vault: string): Promise<string> {
  const port = await freePort();
  const file = workspace.write(
    'haproxy.cfg',
    `defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen vault
  bind 127.0.0.1:${port}
  server vault ${new URL(vault).host}
`,
  );
  return startProxy(workspace, 'haproxy', ['haproxy', '-db', '-f', file], port);
}

async function startProxy(
  workspace: Workspace,
  name: string,
  command: readonly string[],
  port: number,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const address = `http://127.0.0.1:${port}`;
  const daemon = workspace.start(name, command, { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env });
  const answers = (): Promise<boolean> =>
    fetch(`${address}/v1/sys/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  await workspace.waitFor(daemon, 'it answered for Vault', answers);
  return address;
}

let proxies = 0;

async function startVaultProxy(
  workspace: Workspace,
  vault: Vault,
  lines: string,
  single: (name: string, address: string) => Route,
): Promise<VaultProxy> {
  const { ensureTools } = await import('../../build/tools/tools.ts');
  const { vault: executable } = await ensureTools(['vault'], {});
  const { auth } = await vault.api('POST', 'auth/token/create', { policies: ['shop'], ttl: '1h' });
  const { client_token: token } = auth as { client_token: string };
  const [port, name] = [await freePort(), `vault-proxy-${proxies++}`];
  const file = workspace.write(
    `${name}.hcl`,
    `vault { address = "${vault.address}" }
     auto_auth { method "token_file" { config = { token_file_path = "${workspace.write(`${name}.token`, token)}" } } }
     listener "tcp" { address = "127.0.0.1:${port}"  tls_disable = true }
     ${lines}`,
  );
  const address = await startProxy(workspace, name, [executable.path, 'proxy', `-config=${file}`], port);
  const isKnown = async (): Promise<boolean> => {
    const answer: Json = await vault.api('POST', 'auth/token/lookup', { token }).catch(() => ({}));
    return answer.data !== undefined;
  };
  return { route: single(name, address), hasToken: isKnown };
}
