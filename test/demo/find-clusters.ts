/** Looks for clusters that are for trying: those of kind and of minikube. It changes nothing and starts nothing. */
import type { Run } from './programs.ts';

export interface MinikubeProfile {
  readonly name: string;
  readonly runs: boolean;
}

export interface FoundClusters {
  /** Whether there is a kubectl to use them with. */
  readonly kubectl: boolean;
  /** The current context of the kubeconfig. */
  readonly current: string | undefined;
  /** All contexts of the kubeconfig. */
  readonly contexts: readonly string[];
  /** The clusters of kind; undefined without the program kind, or if it cannot ask its container engine. */
  readonly kind: readonly string[] | undefined;
  /** The profiles of minikube; undefined without the program. */
  readonly minikube: readonly MinikubeProfile[] | undefined;
}

export async function findClusters(run: Run, kubectl: string): Promise<FoundClusters> {
  const [current, contexts, kind, minikube] = await Promise.all([
    run(kubectl, ['config', 'current-context']),
    run(kubectl, ['config', 'get-contexts', '--output', 'name']),
    run('kind', ['get', 'clusters']),
    run('minikube', ['profile', 'list', '--output', 'json']),
  ]);
  return {
    kubectl: contexts.code !== undefined,
    current: current.code === 0 ? current.stdout.trim() : undefined,
    contexts: lines(contexts.stdout),
    kind: kind.code === 0 ? lines(kind.stdout) : undefined,
    minikube: minikube.code === 0 ? profilesIn(minikube.stdout) : undefined,
  };
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

/** `{"invalid": […], "valid": [{"Name": …, "Status": …}]}`; newer versions call what runs "OK", older ones "Running". */
function profilesIn(json: string): MinikubeProfile[] | undefined {
  try {
    const { valid = [] } = JSON.parse(json) as { valid?: { Name: string; Status: string }[] };
    return valid.map(({ Name, Status }) => ({ name: Name, runs: Status === 'OK' || Status === 'Running' }));
  } catch {
    return undefined;
  }
}
