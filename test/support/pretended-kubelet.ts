/** For control planes without nodes: says of pods that they run and are ready, as a kubelet would. Nothing runs. */
import type { ControlPlane } from './control-plane.ts';

export interface PretendedKubelet {
  stop(): Promise<void>;
}

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const PAUSE_MS = 200;

/** Starts it, for the pods of one namespace for which `runs` is true: others stay pending. */
export function pretendKubelet(
  plane: Pick<ControlPlane, 'kubectl' | 'kubectlOk'>,
  namespace: string,
  runs: (pod: Pod) => boolean = () => true,
): PretendedKubelet {
  let isStopped = false;
  const round = async (): Promise<void> => {
    const text = await plane.kubectlOk(['get', 'pods', '-n', namespace, '-o', 'json']);
    for (const pod of (JSON.parse(text) as { items: Pod[] }).items)
      if (!isReady(pod) && runs(pod)) await run(plane, pod);
  };
  const work = async (): Promise<void> => {
    while (!isStopped) {
      await round();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const working = work();
  working.catch(() => undefined); // it is for stop() to say
  return {
    stop: () => {
      isStopped = true;
      return working;
    },
  };
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
}

async function run({ kubectl }: Pick<ControlPlane, 'kubectl'>, { metadata }: Pod): Promise<void> {
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString() }];
  const status = { phase: 'Running', conditions };
  const how = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
  const { code, stderr } = await kubectl(['patch', 'pod', metadata.name, '-n', metadata.namespace, ...how]);
  if (code !== 0 && !stderr.includes('not found')) throw new Error(stderr);
}
