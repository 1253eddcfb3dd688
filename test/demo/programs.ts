/** Other programs: kubectl, helm, kind, minikube. */
import { spawn } from 'node:child_process';

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit status; undefined if there is no such program. */
  readonly code: number | undefined;
}

/** Runs a program with something on stdin, and resolves with how it ended. The signal ends it early. */
export type Run = (program: string, args: readonly string[], stdin?: string, signal?: AbortSignal) => Promise<Outcome>;

export const run: Run = (program, args, stdin = '', signal) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe', ...(signal === undefined ? {} : { signal }) });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve({ stdout: '', stderr: error.message, code: undefined });
      else reject(error);
    });
    child.once('close', (code) => resolve({ stdout, stderr, code: code ?? 1 }));
    // a program that ends before it has read everything says why by itself
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
  });
