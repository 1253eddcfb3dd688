import { spawn } from 'node:child_process';

import { operatorProgram } from './operator.ts';

/** Runs the operator's command `uninstall`; resolves with the exit status and the output of both streams. */
export function runUninstall(
  kubeconfig: string,
  ...flags: readonly string[]
): Promise<{ readonly status: number | null; readonly output: string }> {
  const args = [operatorProgram(), 'uninstall', '--kubeconfig', kubeconfig, ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, output })));
}
