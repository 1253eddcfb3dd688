import { spawn } from 'node:child_process';

import { operatorProgram } from './operator.ts';

export interface Uninstalling {
  /** What it has printed to both streams so far. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended; status null: a signal ended it. */
  readonly ended: Promise<{ readonly status: number | null; readonly output: string }>;
}

/** Starts the operator's command `uninstall`. */
export function startUninstall(kubeconfig: string, ...flags: readonly string[]): Uninstalling {
  const args = [operatorProgram(), 'uninstall', '--kubeconfig', kubeconfig, ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    output: () => output,
    kill: (signal) => void child.kill(signal),
    ended: new Promise((resolve) => child.once('close', (status) => resolve({ status, output }))),
  };
}

/** The same; resolves with the exit status and the output of both streams. */
export function runUninstall(kubeconfig: string, ...flags: readonly string[]): Uninstalling['ended'] {
  return startUninstall(kubeconfig, ...flags).ended;
}
