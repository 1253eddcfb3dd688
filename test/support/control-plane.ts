/** A real Kubernetes control plane on loopback: etcd, API server, controller manager and scheduler, for one test run. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { kubeconfigFor } from './kubeconfig.ts';
import { chosenMinor, toolOf } from './kubernetes-versions.ts';
import { createAuthority, createKeys, type Authority } from './pki.ts';
import { freePorts } from './ports.ts';
import type { Log } from '../../build/tools/go-build.ts';
import type { FoundTool } from '../../build/tools/tools.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { openWorkspace, type Daemon, type Workspace } from './workspace.ts';

export interface ControlPlaneOptions {
  /** Deployments get ReplicaSets, namespaces their default ServiceAccount, … (default: true). */
  readonly controllers?: boolean;
  /** Pods get nodes (default: false). */
  readonly scheduler?: boolean;
  /** Added to the API server's command line. */
  readonly apiServerArgs?: readonly string[];
  /** Where building tools and slow starts are reported (default: stderr). */
  readonly log?: Log;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface ControlPlane {
  /** Path of a kubeconfig for a member of system:masters. */
  readonly kubeconfig: string;
  /** https://127.0.0.1:PORT */
  readonly server: string;
  /** The authority that signed the API server's certificate. */
  readonly caPem: string;
  /** Everything lies here: data, logs (log/NAME.log), certificates. Gone after stop(). */
  readonly dir: string;
  /** etcd's data directory, to search what is stored byte by byte. */
  readonly etcdDir: string;
  /** http://127.0.0.1:PORT */
  readonly etcdEndpoint: string;
  /** Runs kubectl as the administrator, feeding it `stdin`; never rejects for an exit code. */
  kubectl(args: readonly string[], stdin?: string): Promise<CommandResult>;
  /** The same, but a failing command rejects with its output; resolves with stdout. */
  kubectlOk(args: readonly string[], stdin?: string): Promise<string>;
  /** Writes a kubeconfig for another user and returns its path. */
  kubeconfigOf(user: string, groups?: readonly string[]): Promise<string>;
  /** The same for the holder of a token. */
  kubeconfigWithToken(name: string, token: string): string;
  /** PEM of the public key that verifies ServiceAccount tokens. */
  readonly tokenKeyPem: string;
  /** The authority of the cluster, for certificates of one's own. */
  readonly authority: Authority;
  /** Ends the API server alone, with SIGTERM or the given signal. */
  stopApiServer(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again: same data, same port. Resolves when it is ready. */
  startApiServer(): Promise<void>;
  /** Ends everything that was started and removes `dir`. */
  stop(): Promise<void>;
}

const ADMINISTRATORS = 'system:masters';
// Go's garbage collector is a fifth of the work of an API server that starts; it takes 100 MB more instead.
const FEW_COLLECTIONS = { GOGC: '400' } as const;
const PROGRAMS = ['etcd', 'kube-apiserver', 'kubectl', 'kube-controller-manager', 'kube-scheduler'] as const;

/**
 * Starts a control plane and resolves when it serves; with controllers, when they have made the default ServiceAccount. The
 * environment may choose an older version (kubernetes-versions.ts).
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { controllers = true, scheduler = false } = options;
  const needed = PROGRAMS.filter(
    (name) => (controllers || name !== 'kube-controller-manager') && (scheduler || name !== 'kube-scheduler'),
  );
  const programs: Partial<Record<string, FoundTool>> = await ensureTools(
    needed.map((name) => toolOf(name)),
    options,
  );
  const workspace = await openWorkspace('cp');
  try {
    const plane = await prepare(workspace, (name) => programs[toolOf(name)]?.path ?? name, options.apiServerArgs ?? []);
    await plane.startEtcd();
    await plane.controlPlane.startApiServer();
    if (controllers) await plane.startControllers();
    if (scheduler) await plane.startScheduler();
    return plane.controlPlane;
  } catch (error) {
    await workspace.close();
    throw error;
  }
}

interface Prepared {
  readonly controlPlane: ControlPlane;
  startEtcd(): Promise<void>;
  startControllers(): Promise<void>;
  startScheduler(): Promise<void>;
}

async function prepare(
  workspace: Workspace,
  program: (name: (typeof PROGRAMS)[number]) => string,
  apiServerArgs: readonly string[],
): Promise<Prepared> {
  const [etcdPort = 0, peerPort = 0, apiPort = 0] = await freePorts(3);
  const authority = await createAuthority('kubernetes');
  const etcdEndpoint = `http://127.0.0.1:${etcdPort}`;
  const server = `https://127.0.0.1:${apiPort}`;
  const cluster = { server, caPem: authority.certificate };
  const kubeconfigOf = async (user: string, groups: readonly string[] = []): Promise<string> =>
    workspace.write(fileName(user), kubeconfigFor(cluster, await authority.client(user, groups)));
  const kubeconfig = await kubeconfigOf('admin', [ADMINISTRATORS]);
  const keyFiles = await writeKeys(workspace, authority);
  const etcdDir = join(workspace.dir, 'etcd');
  const kubectl = (args: readonly string[], stdin = ''): Promise<CommandResult> =>
    run(program('kubectl'), ['--kubeconfig', kubeconfig, ...args], stdin, workspace.dir);
  let apiServer: Daemon | undefined;

  const controlPlane: ControlPlane = {
    kubeconfig,
    server,
    caPem: authority.certificate,
    dir: workspace.dir,
    etcdDir,
    etcdEndpoint,
    authority,
    tokenKeyPem: readFileSync(keyFiles.tokenPub, 'utf8'),
    kubectl,
    kubectlOk: async (args, stdin) => {
      const { stdout, stderr, code } = await kubectl(args, stdin);
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
      return stdout;
    },
    kubeconfigOf,
    kubeconfigWithToken: (name, token) => workspace.write(fileName(name), kubeconfigFor(cluster, { token })),
    stopApiServer: async (signal) => apiServer?.stop(signal),
    startApiServer: async () => {
      if (apiServer?.running() === true) return;
      const command = [program('kube-apiserver'), ...apiServerFlags(etcdEndpoint, apiPort, keyFiles), ...apiServerArgs];
      apiServer = workspace.start('kube-apiserver', command, FEW_COLLECTIONS);
      await workspace.waitFor(apiServer, 'it was ready', () => answers(`${server}/readyz`, authority.certificate));
    },
    stop: () => workspace.close(),
  };
  return {
    controlPlane,
    startEtcd: async () => {
      mkdirSync(etcdDir, { mode: 0o700 });
      const etcd = workspace.start('etcd', [program('etcd'), ...etcdFlags(etcdDir, etcdEndpoint, peerPort)]);
      await workspace.waitFor(etcd, 'it was healthy', async () => (await statusOf(`${etcdEndpoint}/health`)) === 200);
    },
    startControllers: async () => {
      const flags = controllerFlags(await kubeconfigOf('system:kube-controller-manager'), keyFiles);
      const manager = workspace.start(
        'kube-controller-manager',
        [program('kube-controller-manager'), ...flags],
        FEW_COLLECTIONS,
      );
      const made = async (): Promise<boolean> => (await kubectl(['get', 'serviceaccount', 'default'])).code === 0;
      await workspace.waitFor(manager, 'it had made the default ServiceAccount', made);
    },
    startScheduler: async () => {
      const config = await kubeconfigOf('system:kube-scheduler');
      const flags = [`--kubeconfig=${config}`, '--leader-elect=false', '--secure-port=0'];
      // It serves nothing that could be asked whether it is ready: pods simply wait for it.
      workspace.start('kube-scheduler', [program('kube-scheduler'), ...flags]);
    },
  };
}

type KeyFiles = Readonly<
  Record<'ca' | 'cert' | 'key' | 'kubeletCert' | 'kubeletKey' | 'tokenKey' | 'tokenPub', string>
>;

async function writeKeys(workspace: Workspace, authority: Authority): Promise<KeyFiles> {
  const serving = await authority.server('kube-apiserver', ['127.0.0.1', 'localhost', 'kubernetes.default.svc']);
  const kubelet = await authority.client('kube-apiserver-kubelet-client', [ADMINISTRATORS]);
  const tokens = await createKeys();
  return {
    ca: workspace.write('pki/ca.crt', authority.certificate),
    cert: workspace.write('pki/apiserver.crt', serving.certificate),
    key: workspace.write('pki/apiserver.key', serving.key),
    kubeletCert: workspace.write('pki/kubelet-client.crt', kubelet.certificate),
    kubeletKey: workspace.write('pki/kubelet-client.key', kubelet.key),
    tokenKey: workspace.write('pki/service-accounts.key', tokens.privateKey),
    tokenPub: workspace.write('pki/service-accounts.pub', tokens.publicKey),
  };
}

function etcdFlags(dataDir: string, endpoint: string, peerPort: number): string[] {
  const peer = `http://127.0.0.1:${peerPort}`;
  return [
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${endpoint}`,
    `--advertise-client-urls=${endpoint}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync', // a test's data need not outlive the machine
    // As kubeadm sets it. Without it, API servers before 1.34 confirm a watch only when one of its objects changes.
    ...(chosenMinor() === undefined ? [] : ['--watch-progress-notify-interval=5s']),
    '--logger=zap',
    '--log-level=warn',
  ];
}

function apiServerFlags(etcdEndpoint: string, port: number, keys: KeyFiles): string[] {
  return [
    `--etcd-servers=${etcdEndpoint}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${keys.cert}`,
    `--tls-private-key-file=${keys.key}`,
    `--client-ca-file=${keys.ca}`,
    `--service-account-key-file=${keys.tokenPub}`,
    `--service-account-signing-key-file=${keys.tokenKey}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--authorization-mode=Node,RBAC',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--allow-privileged=true',
    '--endpoint-reconciler-type=none', // it would refuse to publish a loopback address
    `--kubelet-client-certificate=${keys.kubeletCert}`,
    `--kubelet-client-key=${keys.kubeletKey}`,
    '--kubelet-preferred-address-types=Hostname', // a node is called localhost, and its kubelet listens there alone
    '--profiling=false',
  ];
}

function controllerFlags(kubeconfig: string, keys: KeyFiles): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--service-account-private-key-file=${keys.tokenKey}`,
    `--root-ca-file=${keys.ca}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    '--controllers=*,-node-ipam-controller', // which wants a range of pod addresses
    '--kube-api-qps=500', // 20 make a start take 5 s longer
    '--kube-api-burst=1000',
    '--secure-port=0',
  ];
}

function fileName(user: string): string {
  return `${user.replaceAll(/[^\w-]+/g, '-')}.kubeconfig`;
}

function answers(url: string, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ask = request(url, { ca, agent: false, timeout: 5000 }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode === 200));
      response.once('error', () => resolve(false));
    });
    ask.once('error', () => resolve(false));
    ask.once('timeout', () => ask.destroy());
    ask.end();
  });
}

async function statusOf(url: string): Promise<number> {
  try {
    return (await fetch(url)).status;
  } catch {
    return 0;
  }
}

function run(program: string, args: readonly string[], stdin: string, home: string): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    // HOME, so that kubectl's cache of the API stays with the control plane that it was read from.
    const child = spawn(program, args, { env: { PATH: process.env.PATH ?? '', HOME: home }, cwd: home });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ stdout, stderr, code: code ?? -1 }));
    child.stdin.on('error', () => undefined); // a command that reads nothing may end first
    child.stdin.end(stdin);
  });
}
