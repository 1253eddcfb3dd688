/** The operator as a user starts it outside a cluster: a separate process, with flags that say where everything is. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';

import type { ControlPlane } from './control-plane.ts';
import { has } from './kubernetes-versions.ts';
import { freePorts } from './ports.ts';
import { openWorkspace, type Daemon } from './workspace.ts';

const root = join(import.meta.dirname, '../..');
// terminationGracePeriodSeconds of the Deployment
const GRACE_MS = 45_000;

export interface OperatorOptions {
  readonly controlPlane: Pick<ControlPlane, 'kubeconfig' | 'kubectlOk'>;
  readonly injectorImage?: string;
  /** More flags, such as ['--log-level', 'debug']. */
  readonly flags?: readonly string[];
  /** Name of the Service (see exposeLoopback) by which API servers reach it; default: by URL. */
  readonly service?: string;
  /** URL by which API servers reach it, if not its own: that of a balancer before several replicas. */
  readonly url?: string;
  /** true: the bundle that `make build` made, with Node's options as the Deployment sets them; else operatorProgram(). */
  readonly bundled?: boolean;
  /** The folder in which `make build` made the bundle, where it is not dist/ of this checkout. */
  readonly dist?: string;
  /** Variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  /** Called with its process as soon as that exists. */
  readonly onStarted?: (pid: number) => void;
  /** false: do not install CRD and namespace before, nor wait until it is ready. */
  readonly prepare?: boolean;
}

export interface RunningOperator {
  readonly pid: number;
  /** Where it listens. */
  readonly webhookPort: number;
  readonly webhookUrl: string;
  readonly healthUrl: string;
  /** From the start of the process to the first /readyz that said 200. */
  readonly readyAfterMs: number;
  running(): boolean;
  /** null while it runs, and when a signal ended it. */
  exitCode(): number | null;
  /** Everything it logged so far. */
  log(): string;
  /** GET on the health server; status 0 when nothing answers. */
  health(path: string): Promise<{ status: number; body: string }>;
  /** Sends SIGTERM by default; resolves when the process has ended, which may take 2 s. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Sends SIGTERM and gives it the time that a pod has; resolves when the process has ended by itself. */
  terminate(): Promise<void>;
}

/**
 * Path of the program to run: the bundle that `make test` has made of these sources, which starts in a tenth of the time;
 * else the sources.
 */
export function operatorProgram(): string {
  return process.env.OPERATOR_DIST === undefined ? join(root, 'operator/main.ts') : bundleIn();
}

function bundleIn(dist = process.env.OPERATOR_DIST ?? join(root, 'dist')): string {
  return join(dist, 'operator.mjs');
}

/** Installs the CRD and the operator's namespace, starts the operator, and resolves when it says that it is ready. */
export async function startOperator(options: OperatorOptions): Promise<RunningOperator> {
  const { controlPlane, prepare = true } = options;
  if (prepare) await installPrerequisites(controlPlane);
  const workspace = await openWorkspace('op');
  const [webhookPort = 0, healthPort = 0] = await freePorts(2);
  const webhookUrl = options.url ?? `https://127.0.0.1:${webhookPort}`;
  if (prepare && options.service === undefined) await allowUrl(controlPlane);
  const healthUrl = `http://127.0.0.1:${healthPort}`;
  const started = performance.now();
  const command = [
    process.execPath,
    ...(options.nodeFlags ?? []),
    options.bundled === true ? bundleIn(options.dist) : operatorProgram(),
    ...['--kubeconfig', controlPlane.kubeconfig, '--webhook-host', '127.0.0.1', '--webhook-port', String(webhookPort)],
    ...(options.service === undefined
      ? ['--webhook-url', webhookUrl]
      : ['--webhook-service', options.service, '--webhook-service-port', String(webhookPort)]),
    ...['--health-host', '127.0.0.1', '--health-port', String(healthPort), '--drain', '0s'],
    // Vaults are on loopback; an older operator to compare with may not know the setting
    ...(options.dist === undefined ? ['--vault-check-hosts', '127.0.0.1,localhost,*'] : []),
    ...['--injector-image', options.injectorImage ?? 'localhost/vault-env:test'],
    ...(options.flags ?? []),
  ];
  const shipped = options.bundled === true ? shippedEnvironment() : {};
  const daemon = workspace.start('operator', command, { ...shipped, ...options.env });
  options.onStarted?.(daemon.pid);
  try {
    if (prepare)
      await workspace.waitFor(daemon, 'it was ready', async () => (await get(`${healthUrl}/readyz`)).status === 200);
  } catch (error) {
    await workspace.close();
    throw error;
  }
  let log = ''; // what it said, kept when its workspace is gone
  const readyAfterMs = performance.now() - started;
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    if (log !== '') return; // stopped before
    await daemon.stop(signal);
    log = wholeLog(daemon);
    await workspace.close();
  };
  return {
    pid: daemon.pid,
    webhookPort,
    webhookUrl,
    healthUrl,
    readyAfterMs,
    running: () => daemon.running(),
    exitCode: () => daemon.exitCode(),
    log: () => log || wholeLog(daemon),
    health: (path) => get(`${healthUrl}${path}`),
    stop,
    terminate: async () => {
      process.kill(daemon.pid, 'SIGTERM');
      await eventually('the operator to end', () => (daemon.running() ? undefined : true), GRACE_MS);
      await stop();
    },
  };
}

/** How the Deployment sets Node and its memory up: without its own settings, which are the tests' to choose. */
function shippedEnvironment(): Record<string, string> {
  const deployment = parse(readFileSync(join(root, 'config/operator/deployment.yaml'), 'utf8')) as {
    spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } };
  };
  const variables = deployment.spec.template.spec.containers.flatMap(({ env }) => env);
  return Object.fromEntries(
    variables.filter(({ name }) => !name.startsWith('VAULT_INJECTION_')).map(({ name, value }) => [name, value]),
  );
}

/** What the operator needs to find in a cluster: its CRD, established, and its namespace. */
export async function installPrerequisites({ kubectlOk }: Pick<ControlPlane, 'kubectlOk'>): Promise<void> {
  // of the list without selectableFields, an earlier client-side apply is another owner
  const force = has('selectableFields') ? [] : ['--force-conflicts'];
  await kubectlOk(['apply', '--server-side', ...force, '-f', join(root, 'crds')]);
  await kubectlOk(['apply', '--server-side', '-f', join(root, 'config/operator/namespace.yaml')]);
  const crd = 'crd/vaultinjectionpolicies.vaultinjection.dev';
  // kubectl fails at once if the CRD has no status yet
  const established = (): Promise<string | undefined> =>
    kubectlOk(['wait', '--for=condition=Established', crd, '--timeout=30s']).catch(() => undefined);
  await eventually('the CRD to be established', established, 60_000);
}

/** Where config/guard is installed, it has to know of webhooks that are behind no Service. */
async function allowUrl({ kubectlOk }: Pick<ControlPlane, 'kubectlOk'>): Promise<void> {
  const account = ['-n', 'vault-injection-system', '-l', 'app.kubernetes.io/name=vault-injection-operator'];
  const annotation = 'vaultinjection.dev/webhook-url=https://127.0.0.1:';
  await kubectlOk(['annotate', '--overwrite', 'serviceaccounts', ...account, annotation]);
}

const wholeLog = (daemon: Daemon): string => daemon.logTail(Number.MAX_SAFE_INTEGER);

function get(url: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const call = request(url, { timeout: 5000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve({ status: 0, body: '' }));
    call.end();
  });
}

/**
 * Retries until `probe` returns a value other than undefined; rejects after `timeoutMs` with what was waited for.
 * @param instead says what there is in its place, for the message of the rejection
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 30_000,
  instead: () => Promise<string> | string = () => '',
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > deadline) {
      const found = await instead();
      const tail = found === '' ? '' : `; instead there was:\n${found}`;
      throw new Error(`waited ${timeoutMs / 1000} s in vain for: ${what}${tail}`);
    }
    await sleep(50);
  }
}
