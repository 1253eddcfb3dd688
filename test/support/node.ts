/** A real node for a control plane: a kubelet and containerd, which run pods on this machine. Linux and root only. */
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { ControlPlane } from './control-plane.ts';
import type { Image } from '../../build/image.ts';
import { containerdConfig, cniConfig, initScript, kubeletConfig, nodePaths, STATIC_PODS } from './node-files.ts';
import { freePorts } from './ports.ts';
import { pauseImage } from './test-images.ts';
import type { Log } from '../../build/tools/go-build.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

export interface Node {
  /** localhost: the API server reaches the kubelet by it, so that `kubectl logs` and `exec` work on loopback. */
  readonly name: string;
  readonly dir: string;
  /** Makes an image known to the node; pods refer to it by its name, with imagePullPolicy Never or IfNotPresent. */
  importImage(image: Pick<Image, 'archive'>): Promise<void>;
  /** Has the node pull from a registry whose certificate this authority (PEM) signed. `host` is as in the names of images. */
  trustRegistry(host: string, ca: string): void;
  /** What a container printed in all its runs so far, also after its pod is gone; '' when it has not started. */
  podLog(namespace: string, pod: string, container: string): string;
  /** Runs a pod that the kubelet has from a file; the API server gets a mirror of it, whose name ends in the node's. */
  runStaticPod(manifest: { readonly metadata: { readonly name: string }; readonly spec: object }): void;
  /** Kills the node with all that runs on it; it does not wait for pods to end as they would like to. */
  stop(): Promise<void>;
}

const NAME = 'localhost';
const READY_MS = 60_000;

/** Why this machine cannot run a node, or undefined when it can. */
export function whyNoNode(): string | undefined {
  if (process.platform !== 'linux') return 'a kubelet needs Linux';
  if (process.getuid?.() !== 0) return 'a kubelet needs root';
  const { status, stderr } = spawnSync('unshare', ['--mount', '--pid', '--fork', 'true'], { encoding: 'utf8' });
  if (status !== 0) return `no namespaces for a kubelet: ${stderr ? stderr.trim() : 'unshare was not found'}`;
  if (!readFileSync('/proc/filesystems', 'utf8').includes('\toverlay\n'))
    return 'this kernel has no overlay file system';
  return undefined;
}

/** Skips the suite, and says why, if no node can be started. Call it first in before(). */
export function skipWithoutNode(context: Mocha.Context): void {
  const reason = whyNoNode();
  if (reason === undefined) return;
  console.log(`      skipped: ${reason}`);
  context.skip();
}

/** Starts a node and resolves when it is Ready. The control plane needs its controllers and its scheduler. */
export async function startNode(cluster: ControlPlane, options: { readonly log?: Log } = {}): Promise<Node> {
  const programs = await ensureTools(['kubelet', 'containerd', 'containerd-shim-runc-v2', 'ctr', 'runc'], options);
  const workspace = await openWorkspace('node');
  try {
    const paths = nodePaths(workspace.dir);
    const pause = await pauseImage(join(workspace.dir, 'images'));
    await writeNodeFiles(workspace, cluster, pause.name);
    const path = [dirname(programs['containerd-shim-runc-v2'].path), dirname(programs.runc.path), process.env.PATH];
    const script = initScript(paths, {
      containerd: programs.containerd.path,
      kubelet: programs.kubelet.path,
      path: path.join(delimiter),
    });
    const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];
    const init = workspace.start('node', ['unshare', ...namespaces, 'sh', workspace.write('init.sh', script)]);
    const ctr = (...args: string[]): Promise<unknown> =>
      promisify(execFile)(programs.ctr.path, ['--address', paths.socket, '--namespace', 'k8s.io', ...args]);
    const importImage = async ({ archive }: Pick<Image, 'archive'>): Promise<void> => {
      await ctr('images', 'import', archive);
    };
    await workspace.waitFor(init, 'containerd served', () =>
      ctr('version').then(
        () => true,
        () => false,
      ),
    );
    await importImage(pause);
    await workspace.waitFor(init, 'the node was Ready', () => isReady(cluster), READY_MS);
    return {
      name: NAME,
      dir: workspace.dir,
      importImage,
      trustRegistry: (host, ca) => {
        const file = workspace.write(`certs.d/${host}/ca.crt`, ca);
        const hosts = `server = "https://${host}"\n[host."https://${host}"]\n  ca = "${file}"\n`;
        workspace.write(`certs.d/${host}/hosts.toml`, hosts);
      },
      runStaticPod: (manifest) => {
        workspace.write(`${STATIC_PODS}/${manifest.metadata.name}.json`, JSON.stringify(manifest));
      },
      podLog: (namespace, pod, container) => readPodLog(paths.podLogs, namespace, pod, container),
      stop: () => workspace.close(),
    };
  } catch (error) {
    await workspace.close();
    throw error;
  }
}

async function writeNodeFiles(workspace: Workspace, cluster: ControlPlane, pause: string): Promise<void> {
  const [port = 0, healthPort = 0] = await freePorts(2);
  const paths = nodePaths(workspace.dir);
  const settings = {
    clientCaFile: workspace.write('ca.crt', cluster.caPem),
    port,
    healthPort,
  };
  workspace.write('containerd.toml', containerdConfig(paths, pause));
  workspace.write('cni/10-none.conflist', cniConfig);
  workspace.write(`${STATIC_PODS}/.empty`, ''); // the kubelet leaves out what begins with a dot
  workspace.write('kubelet.yaml', kubeletConfig(paths, settings));
  const kubeconfig = await cluster.kubeconfigOf(`system:node:${NAME}`, ['system:nodes']);
  workspace.write('kubeconfig', readFileSync(kubeconfig));
}

async function isReady(cluster: ControlPlane): Promise<boolean> {
  const jsonpath = '{.status.conditions[?(@.type=="Ready")].status}';
  const { stdout } = await cluster.kubectl(['get', 'node', NAME, '--output', `jsonpath=${jsonpath}`]);
  return stdout === 'True';
}

function readPodLog(podLogs: string, namespace: string, pod: string, container: string): string {
  // NAMESPACE_POD_UID/CONTAINER/RESTARTS.log, each line "TIME STREAM P|F TEXT" (KEP-1972's CRI log format)
  const runs = list(podLogs)
    .filter((name) => name.startsWith(`${namespace}_${pod}_`))
    .map((name) => join(podLogs, name, container))
    .flatMap((dir) => list(dir).map((file) => ({ file: join(dir, file), restarts: Number.parseInt(file, 10) })));
  return runs
    .sort((a, b) => a.restarts - b.restarts)
    .map(({ file }) => readFileSync(file, 'utf8').replaceAll(/^\S+ \S+ \S+ /gm, ''))
    .join('');
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
