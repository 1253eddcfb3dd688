/**
 * What a node is configured by. A setting that looks odd keeps the node off the rest of the machine, or lets it run
 * where a capability is missing.
 */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

export interface NodePaths {
  /** All of the node lies below it. */
  readonly dir: string;
  readonly socket: string;
  readonly podLogs: string;
}

export function nodePaths(dir: string): NodePaths {
  return { dir, socket: join(dir, 'containerd.sock'), podLogs: join(dir, 'pod-logs') };
}

/** containerd's configuration (version 3), with the sandboxes' image. */
export function containerdConfig({ dir, socket }: NodePaths, pauseImage: string): string {
  return `version = 3
root = "${dir}/containerd"
state = "${dir}/containerd-state"

[grpc]
  address = "${socket}"

[plugins.'io.containerd.internal.v1.opt']
  path = "${dir}/opt"

[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "${snapshotter(dir)}"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "${pauseImage}"
  [plugins.'io.containerd.cri.v1.images'.registry]
    # hosts.toml of each registry, read at each pull
    config_path = "${dir}/certs.d"

[plugins.'io.containerd.cri.v1.runtime']
  # without CAP_SYS_RESOURCE no process may lower its score, and every sandbox would fail
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["${dir}/cni"]
    conf_dir = "${dir}/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        SystemdCgroup = false
`;
}

function snapshotter(dir: string): string {
  const OVERLAYFS_SUPER_MAGIC = 0x794c7630; // statfs(2)
  // Inside a container, /tmp may be an overlay itself, and no overlay can be made on that: copy images instead.
  return statfsSync(dir).type === OVERLAYFS_SUPER_MAGIC ? 'native' : 'overlayfs';
}

/** A network configuration makes the node Ready. Its plugin does not exist: pods must use hostNetwork. */
export const cniConfig = JSON.stringify({ cniVersion: '1.0.0', name: 'none', plugins: [{ type: 'none' }] });

/** Of the node's folder: the kubelet runs the pods in it, whatever the API server says. */
export const STATIC_PODS = 'static-pods';

export interface KubeletSettings {
  readonly clientCaFile: string;
  readonly port: number;
  readonly healthPort: number;
}

export function kubeletConfig({ dir, socket, podLogs }: NodePaths, settings: KubeletSettings): string {
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '127.0.0.1',
    port: settings.port,
    healthzPort: settings.healthPort,
    readOnlyPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: settings.clientCaFile },
    },
    authorization: { mode: 'AlwaysAllow' },
    containerRuntimeEndpoint: `unix://${socket}`,
    podLogsDir: podLogs,
    volumePluginDir: join(dir, 'volume-plugins'),
    resolvConf: '',
    makeIPTablesUtilChains: false,
    registerNode: true,
    staticPodPath: join(dir, STATIC_PODS),
    // it looks at the folder itself as well, but not every file system tells
    fileCheckFrequency: '1s',
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    failSwapOn: false,
    evictionHard: { 'memory.available': '1Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    serializeImagePulls: false,
    // Tests look at what a pod has become, often and soon.
    syncFrequency: '5s',
    nodeStatusUpdateFrequency: '5s',
  });
}

// What a kubelet would otherwise set on the machine (pkg/kubelet/cm, setupKernelTunables).
const KERNEL_SETTINGS = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

/**
 * The first process of the node, in a PID and a mount namespace of its own: when it ends, the kernel ends every other
 * process of the node and frees its mounts. Directories with fixed names outside of `dir` are covered by empty ones, and
 * the kernel settings by files that already hold what the kubelet wants.
 */
export function initScript(
  { dir, socket }: NodePaths,
  programs: { readonly containerd: string; readonly kubelet: string; readonly path: string },
): string {
  const covered = ['/run', '/var/log', '/var/lib', '/opt'];
  return `set -eu
export PATH='${programs.path}'
mkdir -p '${dir}/settings'
${Object.entries(KERNEL_SETTINGS)
  .map(([name, value]) => {
    const file = `${dir}/settings/${name.replaceAll('/', '.')}`;
    return `echo ${value} > '${file}' && mount --bind '${file}' /proc/sys/${name}`;
  })
  .join('\n')}
for covered in ${covered.join(' ')}; do [ ! -d $covered ] || mount -t tmpfs -o mode=755 node $covered; done
'${programs.containerd}' --config '${dir}/containerd.toml' > '${dir}/log/containerd.log' 2>&1 &
until [ -S '${socket}' ]; do sleep 0.1; done
# Not exec: this shell stays the first process, which also collects orphans.
'${programs.kubelet}' --config='${dir}/kubelet.yaml' --kubeconfig='${dir}/kubeconfig' --hostname-override=localhost \\
  --root-dir='${dir}/kubelet' --cert-dir='${dir}/kubelet/pki'
exit $?
`;
}
