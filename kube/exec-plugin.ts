/**
 * Credential plugins of a kubeconfig: commands that print a token or a client certificate.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
import { spawn } from 'node:child_process';
import { basename } from 'node:path';

import { asObject, parseJson } from '../core/json.ts';
import { unlessAborted } from './clock.ts';

/** `user.exec` of a kubeconfig. */
export interface ExecPlugin {
  readonly command: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly apiVersion?: string;
  readonly interactiveMode?: string;
  readonly provideClusterInfo?: boolean;
}

/** The `status` of an ExecCredential. */
export interface ExecCredential {
  readonly token?: string;
  /** PEM, with clientKeyData. */
  readonly clientCertificateData?: string;
  readonly clientKeyData?: string;
  /** Milliseconds since the epoch; undefined: it counts until a server refuses it. */
  readonly expiresAt?: number;
}

/** A plugin without a credential. `message` has its name and status, never anything that it printed or was given. */
export class ExecPluginError extends Error {
  override readonly name = 'ExecPluginError';
}

// Less than the 30 s that a call may take, so that a call says which plugin it has waited for in vain.
const DEADLINE_MS = 20_000;
// Certificates and keys are some kilobytes.
const LONGEST_OUTPUT = 1024 * 1024;

/**
 * Runs a plugin and resolves with its credential. `cluster` is what the plugin is told about the cluster if its
 * configuration asks for that. Rejects with ExecPluginError; when `signal` aborts or the deadline has passed, the
 * plugin and what it has started are killed.
 */
export async function runExecPlugin(
  plugin: ExecPlugin,
  options: {
    readonly cluster: Readonly<Record<string, unknown>>;
    readonly signal: AbortSignal;
    readonly deadlineMs?: number;
  },
): Promise<ExecCredential> {
  const { deadlineMs = DEADLINE_MS } = options;
  const called = `the exec plugin "${basename(plugin.command)}" of the kubeconfig`;
  if (plugin.interactiveMode === 'Always') {
    throw new ExecPluginError(`${called} wants a terminal (interactiveMode: Always): use one that needs none`);
  }
  const deadline = AbortSignal.timeout(deadlineMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  const why = (): ExecPluginError =>
    new ExecPluginError(
      deadline.aborted
        ? `${called} did not end within ${deadlineMs / 1000} s: run its command by hand to see what it waits for`
        : `${called} was stopped`,
    );
  const output = await unlessAborted(outputOf(plugin, infoFor(plugin, options.cluster), called, signal), signal, why);
  const credential = credentialOf(output);
  if (credential === undefined) {
    const message = `${called} printed no ExecCredential with a token or a client certificate: run its command by hand`;
    throw new ExecPluginError(message);
  }
  return credential;
}

function outputOf(
  { command, args, env }: ExecPlugin,
  info: string,
  called: string,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const given = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
    const child = spawn(command, [...(args ?? [])], {
      env: { ...process.env, ...given, KUBERNETES_EXEC_INFO: info },
      // Its errors are not for our log: they may quote a token.
      stdio: ['ignore', 'pipe', 'ignore'],
      // A group of its own, so that what it has started ends with it.
      detached: true,
    });
    const kill = (): void => killGroup(child.pid);
    signal.addEventListener('abort', kill, { once: true });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length > LONGEST_OUTPUT) kill();
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', kill);
      const code = error.code ?? error.name;
      reject(new ExecPluginError(`${called} cannot be started (${code}): install it, or correct its command`));
    });
    child.once('close', (status, killedBy) => {
      signal.removeEventListener('abort', kill);
      if (status === 0) resolve(output);
      const how = status === null ? `was ended by ${killedBy ?? 'a signal'}` : `ended with status ${status}`;
      reject(new ExecPluginError(`${called} ${how}: run its command by hand to see why`));
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // it has ended meanwhile
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Plugins such as that of AWS choose the version of their output by this variable. */
function infoFor({ apiVersion, provideClusterInfo }: ExecPlugin, cluster: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(provideClusterInfo === true ? { cluster } : {}) },
  });
}

function credentialOf(output: string): ExecCredential | undefined {
  const status = asObject(asObject(parseJson(output))?.status);
  if (status === undefined) return undefined;
  const text = (name: string): string | undefined => {
    const value = status[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const token = text('token');
  const [clientCertificateData, clientKeyData] = [text('clientCertificateData'), text('clientKeyData')];
  const hasCertificate = clientCertificateData !== undefined && clientKeyData !== undefined;
  if (token === undefined && !hasCertificate) return undefined;
  const expiresAt = Date.parse(text('expirationTimestamp') ?? '');
  return {
    ...(token === undefined ? {} : { token }),
    ...(hasCertificate ? { clientCertificateData, clientKeyData } : {}),
    ...(Number.isNaN(expiresAt) ? {} : { expiresAt }),
  };
}
