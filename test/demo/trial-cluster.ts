/** A cluster that the demo runs in: kubectl and helm, always with the context that was chosen. */
import type { Run } from './programs.ts';

/** What the demo has made has this label, and only that is removed. */
export const LABEL = 'vaultinjection.dev/demo';
export const MADE_BY_DEMO = `${LABEL}=true`;

export interface Said {
  readonly stdout: string;
  /** Both streams: kubectl writes the API server's warnings to the other one. */
  readonly all: string;
}

export class TrialCluster {
  readonly context: string;
  readonly #run: Run;
  readonly #kubectl: string;
  #commands = 0;
  #interruption = new AbortController();

  /** @param kubectl the program */
  constructor(run: Run, kubectl: string, context: string) {
    this.#run = run;
    this.#kubectl = kubectl;
    this.context = context;
  }

  /** How many commands it has run. */
  get commands(): number {
    return this.#commands;
  }

  /** Whether `interrupt` was called, and `resume` was not. */
  get interrupted(): boolean {
    return this.#interruption.signal.aborted;
  }

  /** Ends the command that runs. No further one begins until `resume`: each rejects. */
  interrupt(): void {
    this.#interruption.abort();
  }

  resume(): void {
    this.#interruption = new AbortController();
  }

  /** Resolves with stdout; rejects with what kubectl said if it fails. */
  async kubectl(...args: string[]): Promise<string> {
    return (await this.kubectlWith('', ...args)).stdout;
  }

  /** The same with something on stdin. */
  kubectlWith(stdin: string, ...args: string[]): Promise<Said> {
    return this.program(this.#kubectl, ['--context', this.context, ...args], stdin);
  }

  /** Objects as kubectl applies them: with the demo's label. */
  async apply(objects: readonly object[], ...flags: string[]): Promise<Said> {
    return this.kubectlWith(JSON.stringify(listOf(objects.map(labelled))), 'apply', ...flags, '-f', '-');
  }

  helm(stdin: string, ...args: string[]): Promise<Said> {
    return this.program('helm', ['--kube-context', this.context, ...args], stdin);
  }

  /** Whether there is a helm. */
  async hasHelm(): Promise<boolean> {
    return (await this.#run('helm', ['version', '--short'])).code === 0;
  }

  async program(program: string, args: readonly string[], stdin = ''): Promise<Said> {
    const { signal } = this.#interruption;
    signal.throwIfAborted();
    this.#commands += 1;
    const { stdout, stderr, code } = await this.#run(program, args, stdin, signal);
    if (code !== 0) {
      const reason = code === undefined ? 'was not found on PATH' : `failed: ${stderr.trim() || stdout.trim()}`;
      throw new Error(`${[program, ...args].join(' ')} ${reason}`);
    }
    return { stdout, all: `${stdout}${stderr}` };
  }
}

interface WithMetadata {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
}

/** A copy of an object, with the label of what the demo has made. */
export function labelled<T extends object>(object: T): T {
  const { metadata = {} } = object as WithMetadata;
  return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, [LABEL]: 'true' } } };
}

function listOf(items: readonly object[]): object {
  return { apiVersion: 'v1', kind: 'List', items };
}
