/**
 * A real Vault cluster on loopback: servers with integrated storage (Raft), each at an address of its own (127.0.0.1,
 * 127.0.0.2, …), so that a redirect from one to another leads to another host, as it does in a cluster. Linux only:
 * there, the whole of 127.0.0.0/8 is loopback without any setup.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Log } from '../../build/tools/go-build.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { createAuthority } from './pki.ts';
import { freePorts } from './ports.ts';
import type { Json } from './vault.ts';
import { openWorkspace, type Daemon, type Workspace } from './workspace.ts';

export interface Raft {
  /** The servers' addresses, such as http://127.0.0.2:20001; they stay the same after a kill and a restart. */
  readonly addresses: readonly string[];
  /** The root token. */
  readonly token: string;
  /** Verifies the servers' certificates; empty without TLS. */
  readonly caPem: string;
  /** Gone after stop(). */
  readonly dir: string;
  /** One request as root, to the leader or to `server`. Resolves with the JSON of the response; rejects for 4xx and 5xx. */
  api(method: string, path: string, body?: Json, server?: number): Promise<Json>;
  /** Waits until there is an active leader that all running servers agree on, and resolves with its index. */
  leader(): Promise<number>;
  /** The leader gives up leadership; resolves when its answer is there, before another server is elected. */
  stepDown(): Promise<void>;
  /** Ends a server at once, as kill -9 does. */
  kill(index: number): Promise<void>;
  /** Starts a killed server again, and resolves when it has rejoined and is unsealed. */
  restart(index: number): Promise<void>;
  /** What a server has logged. */
  log(index: number): string;
  stop(): Promise<void>;
}

export interface RaftOptions {
  /** Serve https:// addresses (default: http://). */
  readonly tls?: boolean;
  /** More settings for each server's configuration. */
  readonly config?: Json;
  readonly log?: Log;
}

const WHOLE_LOG = 1_000_000;
const READY_MS = 60_000;

interface Server {
  readonly address: string;
  readonly start: () => Daemon;
  daemon: Daemon;
  /** It is part of the cluster, and unsealed. */
  joined: boolean;
}

/** Starts a cluster of `nodes` servers, and resolves when all are unsealed, agree on a leader and may vote. */
export async function startRaft(nodes = 3, options: RaftOptions = {}): Promise<Raft> {
  const { vault } = await ensureTools(['vault'], options);
  const workspace = await openWorkspace('raft');
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false }, pipelining: 0, headersTimeout: 10_000 });
  try {
    const authority = options.tls === true ? await createAuthority('raft') : undefined;
    const ports = await freePorts(2 * nodes);
    const servers: Server[] = [];
    for (let index = 0; index < nodes; index++) {
      const host = `127.0.0.${index + 1}`;
      const [port = 0, clusterPort = 0] = ports.slice(2 * index);
      const address = `${authority === undefined ? 'http' : 'https'}://${host}:${port}`;
      const serving = await authority?.server(`vault-${index}`, [host, 'localhost', 'vault.vault.svc']);
      const certificate =
        serving === undefined
          ? { tls_disable: true }
          : {
              tls_cert_file: workspace.write(`vault-${index}.crt`, serving.certificate),
              tls_key_file: workspace.write(`vault-${index}.key`, serving.key),
            };
      const file = workspace.write(
        `vault-${index}.json`,
        JSON.stringify({
          // The shortest timings that Vault offers, which it recommends for production.
          storage: {
            raft: { path: dataFolder(workspace, index), node_id: `vault-${index}`, performance_multiplier: 1 },
          },
          listener: { tcp: { address: `${host}:${port}`, cluster_address: `${host}:${clusterPort}`, ...certificate } },
          api_addr: address,
          cluster_addr: `https://${host}:${clusterPort}`,
          disable_mlock: true,
          ...options.config,
        }),
      );
      const start = (): Daemon => workspace.start(`vault-${index}`, [vault.path, 'server', `-config=${file}`]);
      servers.push({ address, start, daemon: start(), joined: false });
    }
    return await form(workspace, servers, dispatcher, authority?.certificate ?? '');
  } catch (error) {
    await workspace.close();
    await dispatcher.destroy();
    throw error;
  }
}

function dataFolder(workspace: Workspace, index: number): string {
  return workspace.write(`data-${index}/.keep`, '').slice(0, -'/.keep'.length);
}

/** Initializes the first server, and lets the others join it. */
async function form(workspace: Workspace, servers: Server[], dispatcher: Agent, caPem: string): Promise<Raft> {
  let token = '';
  const ask = (server: number, method: string, path: string, body?: Json): Promise<Json> =>
    call(dispatcher, `${at(servers, server).address}/v1/${path}`, token, method, body);
  const state = (server: number): Promise<Json> => ask(server, 'GET', 'sys/seal-status').catch(() => ({}));
  const listening = (server: number): Promise<void> =>
    workspace.waitFor(at(servers, server).daemon, 'it listened', async () => 'sealed' in (await state(server)));

  await listening(0);
  const keys = await ask(0, 'PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 });
  const [key] = keys.keys as [string];
  const unseal = async (server: number): Promise<void> => {
    await workspace.waitFor(at(servers, server).daemon, 'it was unsealed', async () => {
      // A server that has just joined takes the key only once it knows the cluster's seal.
      await ask(server, 'PUT', 'sys/unseal', { key }).catch(() => undefined);
      return (await state(server)).sealed === false;
    });
    at(servers, server).joined = true;
  };
  await unseal(0);
  token = keys.root_token as string;
  const leader = (): Promise<number> => agreedLeader(servers, ask);
  await leader();
  // By default, a server may not vote in its first ten seconds: no other could lead until then.
  await ask(0, 'POST', 'sys/storage/raft/autopilot/configuration', { server_stabilization_time: '1s' });
  for (const [server] of servers.entries()) {
    if (server === 0) continue;
    await listening(server);
    await ask(server, 'POST', 'sys/storage/raft/join', {
      leader_api_addr: at(servers, 0).address,
      ...(caPem === '' ? {} : { leader_ca_cert: caPem }),
    });
    await unseal(server);
  }
  await leader();
  await workspace.waitFor(at(servers, 0).daemon, 'all servers may vote', async () => {
    const { data } = await ask(0, 'GET', 'sys/storage/raft/configuration');
    const members = (data as { config: { servers: { voter: boolean }[] } }).config.servers;
    return members.length === servers.length && members.every(({ voter }) => voter);
  });
  return {
    addresses: servers.map(({ address }) => address),
    token,
    caPem,
    dir: workspace.dir,
    api: async (method, path, body, server) => ask(server ?? (await leader()), method, path, body),
    leader,
    stepDown: async () => {
      await ask(await leader(), 'PUT', 'sys/step-down');
    },
    kill: async (index) => {
      at(servers, index).joined = false;
      await at(servers, index).daemon.stop('SIGKILL');
    },
    restart: async (index) => {
      const server = at(servers, index);
      server.daemon = server.start();
      await listening(index);
      await unseal(index);
      await leader();
    },
    log: (index) => at(servers, index).daemon.logTail(WHOLE_LOG),
    stop: async () => {
      await workspace.close();
      await dispatcher.destroy();
    },
  };
}

function at(servers: readonly Server[], index: number): Server {
  const server = servers[index];
  if (server === undefined) throw new Error(`there is no server ${index}: they are numbered from 0`);
  return server;
}

/** Asks each server of the cluster who leads, until all name the same one of them, which is active. */
async function agreedLeader(
  servers: readonly Server[],
  ask: (server: number, method: string, path: string) => Promise<Json>,
): Promise<number> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const running = [...servers.keys()].filter((index) => at(servers, index).joined);
    const named = await Promise.all(
      running.map(async (index): Promise<unknown> => {
        const answer = await ask(index, 'GET', 'sys/leader').catch((): Json => ({}));
        return answer.leader_address;
      }),
    );
    const index = servers.findIndex(({ address }) => address === named[0]);
    if (running.includes(index) && named.every((address) => address === named[0]) && (await isActive(index, ask))) {
      return index;
    }
    if (Date.now() > deadline)
      throw new Error(`no leader after ${READY_MS / 1000} s: the servers name ${named.join(', ')}`);
    await sleep(50);
  }
}

async function isActive(
  index: number,
  ask: (server: number, method: string, path: string) => Promise<Json>,
): Promise<boolean> {
  const health = await ask(index, 'GET', 'sys/health').catch((): Json => ({}));
  return health.sealed === false && health.standby === false;
}

async function call(dispatcher: Agent, url: string, token: string, method: string, body?: Json): Promise<Json> {
  const response = await request(url, {
    method: method as 'GET',
    headers: token === '' ? {} : { 'x-vault-token': token },
    body: body === undefined ? null : JSON.stringify(body),
    dispatcher,
  });
  const text = await response.body.text();
  if (response.statusCode >= 300) throw new Error(`Vault: ${method} ${url}: ${response.statusCode} ${text}`);
  return (text === '' ? {} : JSON.parse(text)) as Json;
}
