/**
 * Several replicas of the operator behind one balancer, as the Service of a Deployment has them: who is ready gets
 * connections, and the balancer learns of it late, as kube-proxy learns of endpoints.
 */
import type { Balancer, BalancerOptions } from '../support/balancer.ts';
import { startBalancer } from '../support/balancer.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import type { RunningOperator } from '../support/operator.ts';
import { eventually, installPrerequisites, startOperator } from '../support/operator.ts';
import type { StallingProxy } from '../support/stalling-proxy.ts';
import { startStallingProxy } from '../support/stalling-proxy.ts';

export interface ReplicaSetOptions extends BalancerOptions {
  readonly plane: ControlPlane;
  readonly count: number;
  /** More flags for each replica. */
  readonly flags?: readonly string[];
  /** Value of --drain; default 0s. */
  readonly drain?: string;
  /** Which replica, from 1, reaches the API server through a proxy that can be frozen; default: none. */
  readonly proxied?: number;
  /** How much later than the replicas' readiness the balancer's targets change; default 0. */
  readonly lagMs?: number;
  /** The bundle of `make build` in place of the sources; see startOperator(). */
  readonly bundled?: boolean;
  /** Where the bundle is, if not in this checkout, or what says where that of the next replica is; see startOperator(). */
  readonly dist?: string | (() => string);
  /** What is installed already: each replica runs with the kubeconfig, and is called by the Service. */
  readonly installed?: { readonly kubeconfig: string; readonly service: string };
}

export interface Replica {
  /** Numbers are given in the order of starting, from 1. */
  readonly name: string;
  readonly operator: RunningOperator;
  /** Its way to the API server; undefined: it has a direct one. */
  readonly proxy: StallingProxy | undefined;
  /** Whether it is the leader, by its own word. */
  isLeader(): boolean;
}

/** When a process was killed, and when it was seen to be gone: Date.now(). Its connections broke in between. */
export interface Death {
  readonly killedAt: number;
  readonly goneAt: number;
}

export interface ReplicaSet {
  readonly balancer: Balancer;
  /** Those that run, also if they are draining. */
  readonly replicas: readonly Replica[];
  /** Starts one more; resolves when it is ready and the balancer knows it. */
  start(): Promise<Replica>;
  /** Starts one more; resolves when it is ready, as a rollout of a Deployment goes on then. */
  startUnseen(): Promise<Replica>;
  /** Sends SIGTERM; resolves when it has drained and ended. */
  terminate(replica: Replica): Promise<void>;
  /** Sends SIGKILL; resolves when the process has ended. */
  kill(replica: Replica): Promise<Death>;
  /** From now on the balancer's targets follow so much later. */
  lag(ms: number): void;
  close(): Promise<void>;
}

const SYSTEM = 'vault-injection-system';
const POLL_MS = 100;
const READY_MS = 120_000;

/** Installs the CRD and starts the replicas; resolves when all are ready and get connections. */
export async function startReplicas(options: ReplicaSetOptions): Promise<ReplicaSet> {
  const { plane, count, proxied, installed, dist } = options;
  if (installed === undefined) await installPrerequisites(plane);
  const balancer = await startBalancer(options);
  const replicas: Replica[] = [];
  const endpoints = followReadiness(balancer, () => replicas, options.lagMs ?? 0);
  let started = 0;

  const startUnseen = async (): Promise<Replica> => {
    const name = `replica-${++started}`;
    const throughProxy = started === proxied;
    const kubeconfig = throughProxy
      ? await kubeconfigByToken(plane, name)
      : (installed?.kubeconfig ?? plane.kubeconfig);
    // the Service leads to loopback, at the port that the configuration names
    const byService = installed === undefined ? [] : ['--webhook-service-port', String(balancer.port)];
    const proxy = throughProxy ? await startStallingProxy(plane, kubeconfig) : undefined;
    const operator = await startOperator({
      controlPlane: { kubeconfig, kubectlOk: (args, stdin) => plane.kubectlOk(args, stdin) },
      ...(installed === undefined ? { url: balancer.url } : { service: installed.service }),
      flags: ['--drain', options.drain ?? '0s', ...byService, ...(options.flags ?? [])],
      prepare: false,
      bundled: options.bundled ?? false,
      ...(dist === undefined ? {} : { dist: typeof dist === 'string' ? dist : dist() }),
    });
    const replica = { name, operator, proxy, isLeader: () => isLeading(operator) };
    replicas.push(replica);
    const isReady = async (): Promise<true | undefined> => {
      if (!operator.running()) throw new Error(`${name} ended:\n${operator.log()}`);
      return (await operator.health('/readyz')).status === 200 ? true : undefined;
    };
    await eventually(`${name} to be ready`, isReady, READY_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}. It said:\n${operator.log().slice(-5000)}`, { cause: error });
    });
    return replica;
  };
  const start = async (): Promise<Replica> => {
    const replica = await startUnseen();
    const isSeen = (): true | undefined => (endpoints.has(replica) ? true : undefined);
    await eventually(`the balancer to know ${replica.name}`, isSeen, READY_MS);
    return replica;
  };
  const forget = async (replica: Replica): Promise<void> => {
    replicas.splice(replicas.indexOf(replica), 1);
    await replica.proxy?.stop();
  };
  const set: ReplicaSet = {
    balancer,
    replicas,
    start,
    startUnseen,
    terminate: async (replica) => {
      await replica.operator.terminate();
      await forget(replica);
    },
    kill: async (replica) => {
      const { operator } = replica;
      const killedAt = Date.now();
      process.kill(operator.pid, 'SIGKILL');
      await eventually(`${replica.name} to be gone`, () => (operator.running() ? undefined : true));
      const goneAt = Date.now();
      await operator.stop();
      await forget(replica);
      return { killedAt, goneAt };
    },
    lag: (ms) => endpoints.lag(ms),
    close: async () => {
      endpoints.stop();
      await Promise.all(replicas.map(({ operator }) => operator.stop()));
      await Promise.all(replicas.map(async ({ proxy }) => proxy?.stop()));
      await balancer.stop();
    },
  };
  try {
    for (let index = 0; index < count; index += 1) await start();
  } catch (error) {
    await set.close();
    throw error;
  }
  return set;
}

interface Endpoints {
  /** Whether the balancer knows it by now. */
  has(replica: Replica): boolean;
  lag(ms: number): void;
  stop(): void;
}

/** Aims the balancer at the replicas that say they are ready, later by the lag; changes arrive in their order. */
function followReadiness(balancer: Balancer, replicas: () => readonly Replica[], lagMs: number): Endpoints {
  let known: readonly number[] = [];
  let latest = '';
  let lag = lagMs;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let lastDue = 0;
  const apply = (ports: readonly number[]): void => {
    if (stopped) return;
    known = ports;
    balancer.aim(ports, { keepOpen: true });
  };
  const look = async (): Promise<void> => {
    const asked = replicas().map(async ({ operator }) => {
      const ready = operator.running() && (await operator.health('/readyz')).status === 200;
      return ready ? [operator.webhookPort] : [];
    });
    const ports = (await Promise.all(asked)).flat();
    if (stopped) return;
    if (ports.join() !== latest) {
      latest = ports.join();
      // not before an earlier change, even if the lag has become shorter
      lastDue = Math.max(lastDue, Date.now() + lag);
      setTimeout(() => apply(ports), lastDue - Date.now()).unref();
    }
    timer = setTimeout(() => void look(), POLL_MS);
  };
  void look();
  return {
    has: ({ operator }) => known.includes(operator.webhookPort),
    lag: (ms) => (lag = ms),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Of an administrator who holds a token: a proxy cannot pass a client's certificate on. Returns its path. */
async function kubeconfigByToken(plane: ControlPlane, name: string): Promise<string> {
  const account = { kind: 'ServiceAccount', name, namespace: SYSTEM };
  const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: SYSTEM } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: role,
      subjects: [account],
    },
  ];
  await plane.kubectlOk(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const token = await plane.kubectlOk(['create', 'token', name, '-n', SYSTEM, '--duration', '24h']);
  return plane.kubeconfigWithToken(name, token.trim());
}

/** By the last line of its log that says so. */
function isLeading(operator: RunningOperator): boolean {
  const log = operator.log();
  return log.slice(log.lastIndexOf('"leading":')).startsWith('"leading":true');
}
