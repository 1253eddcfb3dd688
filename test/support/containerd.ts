/** A real containerd without a kubelet: what `ctr` and `kind load` import images into. Linux and root only. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { ensureTools } from '../../build/tools/tools.ts';
import { openWorkspace } from './workspace.ts';

export interface Containerd {
  /** Runs ctr in the namespace of Kubernetes; resolves with what it prints. */
  ctr(...args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

export async function startContainerd(): Promise<Containerd> {
  const programs = await ensureTools(['containerd', 'ctr']);
  const workspace = await openWorkspace('containerd');
  const { dir } = workspace;
  const socket = join(dir, 'containerd.sock');
  // without its CRI service it needs neither cgroups nor a network
  const config = `version = 3
root = "${dir}/root"
state = "${dir}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images", "io.containerd.nri.v1.nri"]

[grpc]
  address = "${socket}"

[plugins.'io.containerd.internal.v1.opt']
  path = "${dir}/opt"
`;
  const ctr = async (...args: readonly string[]): Promise<string> => {
    const all = ['--address', socket, '--namespace', 'k8s.io', ...args];
    return (await promisify(execFile)(programs.ctr.path, all)).stdout;
  };
  try {
    const daemon = workspace.start('containerd', [
      programs.containerd.path,
      '--config',
      workspace.write('config.toml', config),
    ]);
    await workspace.waitFor(daemon, 'containerd served', () =>
      ctr('version').then(
        () => true,
        () => false,
      ),
    );
  } catch (error) {
    await workspace.close();
    throw error;
  }
  return { ctr, stop: () => workspace.close() };
}
