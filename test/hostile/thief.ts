/** A cluster with config/default as it is shipped, the operator, and somebody who has stolen its token. */
import { request } from 'node:https';
import { join } from 'node:path';

import { Cluster } from '../integration/cluster.ts';
import { deployment, policy, type Workload } from '../integration/manifests.ts';
import { startControlPlane, type CommandResult, type ControlPlane } from '../support/control-plane.ts';
import { installDefault } from '../support/installed.ts';
import { has } from '../support/kubernetes-versions.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { OPERATOR } from '../support/vault.ts';

export const ROOT = join(import.meta.dirname, '../..');
export const SYSTEM = OPERATOR.namespace;
/** A policy is only in the first one. */
export const NAMESPACES = ['shop', 'bare'];

/** What a thief sends, straight to the API server: no client asks something else before. */
export interface Theft {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  /** Default: JSON merge patch for PATCH. */
  readonly type?: string;
}

export interface Answer {
  readonly status: number;
  readonly message: string;
}

export const APPLY = 'application/apply-patch+yaml';

export interface Scene {
  readonly plane: ControlPlane;
  readonly cluster: Cluster;
  readonly operator: RunningOperator;
  /** The operator's own token. */
  readonly token: string;
  readonly thief: (theft: Theft) => Promise<Answer>;
  /** With kubectl, as the thief. */
  kubectl(...args: string[]): Promise<CommandResult>;
  stop(): Promise<void>;
}

/** In each namespace there is a Deployment web and a StatefulSet db. */
export async function openScene(): Promise<Scene> {
  const plane = await startControlPlane();
  const cluster = new Cluster(plane);
  const kubeconfig = await installDefault(plane, 'stolen');
  const token = await tokenOf(plane, OPERATOR.name);
  const operator = await startOperator({
    controlPlane: { kubeconfig, kubectlOk: (args, stdin) => plane.kubectlOk(args, stdin) },
    service: OPERATOR.name,
  });
  for (const namespace of NAMESPACES) await cluster.namespace(namespace);
  await cluster.policy(policy('shop', 'shop'));
  for (const namespace of NAMESPACES) {
    await cluster.apply(deployment(namespace, 'web'));
    await cluster.apply(statefulSet(deployment(namespace, 'db')));
  }
  const thief = (theft: Theft): Promise<Answer> => send(plane, token, theft);
  await guarded(thief, 'the guard to be in force', has('mutatingAdmissionPolicies') ? MARKED : UNMARKED);
  return {
    plane,
    cluster,
    operator,
    token,
    thief,
    kubectl: (...args) => plane.kubectl(['--kubeconfig', kubeconfig, ...args]),
    stop: async () => {
      await operator.stop();
      await plane.stop();
    },
  };
}

export const MARKED = 'may change nothing of a workload but its own annotations';
export const UNMARKED = 'may not change the spec of a workload';

/** Waits until a change of a spec is refused with these words: policies are in force a little after they were written. */
export async function guarded(thief: Scene['thief'], what: string, words: string): Promise<void> {
  const body = { spec: { minReadySeconds: 99 } };
  const change: Theft = { method: 'PATCH', path: '/apis/apps/v1/namespaces/bare/deployments/web?dryRun=All', body };
  await eventually(what, async () => (await thief(change)).message.includes(words) || undefined);
}

export async function tokenOf(plane: ControlPlane, account: string): Promise<string> {
  return (await plane.kubectlOk(['create', 'token', account, '-n', SYSTEM])).trim();
}

export function send(plane: ControlPlane, token: string, { method, path, body, type }: Theft): Promise<Answer> {
  const contentType = type ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
  const headers = { authorization: `Bearer ${token}`, 'content-type': contentType };
  return new Promise((resolve, reject) => {
    const call = request(`${plane.server}${path}`, { method, ca: plane.caPem, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => {
        const { message = '' } = JSON.parse(text) as { message?: string };
        resolve({ status: response.statusCode ?? 0, message });
      });
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function statefulSet(workload: Workload): object {
  return { ...workload, kind: 'StatefulSet', spec: { ...workload.spec, serviceName: 'none' } };
}
