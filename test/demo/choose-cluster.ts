/** Where the demo runs. A cluster is used only if it is for trying, or was named. */
import type { FoundClusters } from './find-clusters.ts';

/** What made a cluster, which decides how images get onto its nodes. */
export type Origin =
  | { readonly by: 'kind'; readonly name: string }
  | { readonly by: 'minikube'; readonly name: string }
  | { readonly by: 'other' };

export type Choice =
  | { readonly where: 'cluster'; readonly context: string; readonly origin: Origin; readonly isCurrent: boolean }
  /** On this machine, with tools of its own. The notes say what else there is. */
  | { readonly where: 'here'; readonly notes: readonly string[] }
  /** Nowhere: the message says what to write. */
  | { readonly where: 'nowhere'; readonly message: string };

/** @param named the context that the user has asked for */
export function chooseCluster(found: FoundClusters, named?: string): Choice {
  if (named !== undefined) return chooseNamed(found, named);
  const trial = trialContexts(found);
  const current = trial.find((context) => context === found.current);
  const [only] = trial;
  if (current !== undefined) return inCluster(found, current);
  if (only === undefined) return { where: 'here', notes: notesOn(found) };
  if (trial.length === 1) return inCluster(found, only);
  return {
    where: 'nowhere',
    message: [
      'There are several clusters for trying, and none of them is the current context:',
      ...trial.map((context) => `  make demo CONTEXT=${context}`),
    ].join('\n'),
  };
}

function chooseNamed(found: FoundClusters, named: string): Choice {
  if (!found.kubectl) return { where: 'nowhere', message: NO_KUBECTL };
  if (found.contexts.includes(named)) return inCluster(found, named);
  const contexts = found.contexts.length === 0 ? 'none' : found.contexts.join(', ');
  return { where: 'nowhere', message: `The kubeconfig has no context "${named}". There are: ${contexts}.` };
}

const NO_KUBECTL = 'A cluster needs kubectl, which was not found on PATH: https://kubernetes.io/docs/tasks/tools/';

/** Contexts of clusters that kind and minikube say they have made and, as far as they say so, run. */
function trialContexts({ contexts, kind = [], minikube = [] }: FoundClusters): string[] {
  const ofKind = kind.map((name) => `kind-${name}`);
  const ofMinikube = minikube.filter(({ runs }) => runs).map(({ name }) => name);
  return [...ofKind, ...ofMinikube].filter((context) => contexts.includes(context));
}

function inCluster(found: FoundClusters, context: string): Choice {
  return { where: 'cluster', context, origin: originOf(found, context), isCurrent: context === found.current };
}

function originOf({ kind = [], minikube = [] }: FoundClusters, context: string): Origin {
  const ofKind = kind.find((name) => context === `kind-${name}`);
  if (ofKind !== undefined) return { by: 'kind', name: ofKind };
  const profile = minikube.find(({ name }) => name === context);
  return profile === undefined ? { by: 'other' } : { by: 'minikube', name: profile.name };
}

/** What would be quicker than building the tools. */
function notesOn({ kubectl, current, contexts, kind, minikube }: FoundClusters): string[] {
  const notes: string[] = [];
  const clusters = [...(kind ?? []), ...(minikube ?? []).map(({ name }) => name)];
  if (!kubectl && clusters.length > 0) notes.push(NO_KUBECTL);
  for (const name of (kubectl ? kind : undefined) ?? [])
    notes.push(
      `kind's cluster "${name}" is not in the kubeconfig: \`kind export kubeconfig --name ${name}\` puts it there.`,
    );
  for (const { name, runs } of minikube ?? [])
    if (!runs) notes.push(`minikube's cluster "${name}" does not run: \`minikube start --profile ${name}\` starts it.`);
  if (kind?.length === 0) notes.push('kind is installed: `kind create cluster`, and `make demo` uses it.');
  if (minikube?.length === 0) notes.push('minikube is installed: `minikube start`, and `make demo` uses it.');
  if (current !== undefined && !clusters.some((name) => current === name || current === `kind-${name}`))
    notes.push(`The context "${current}" is left alone. To use it: \`make demo CONTEXT=${current}\`.`);
  else if (current === undefined && contexts.length > 0)
    notes.push(`Clusters are left alone unless you name them: \`make demo CONTEXT=${contexts.join('|')}\`.`);
  return notes;
}
