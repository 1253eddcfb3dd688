/** Helm 3 and Helm 4, as a user runs them, with folders of their own instead of the user's. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parseAllDocuments } from 'yaml';

import { ensureTools } from '../../build/tools/tools.ts';
import type { CommandResult } from './control-plane.ts';

export const CHART = join(import.meta.dirname, '../../config/chart');
export const RELEASE = 'vault-injection-operator';
export const NAMESPACE = 'vault-injection-system';

export type HelmVersion = 'helm3' | 'helm4';
export const HELM_VERSIONS: readonly HelmVersion[] = ['helm3', 'helm4'];

/** A rendered object. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export type Values = Readonly<Record<string, unknown>>;

export interface Helm {
  readonly version: HelmVersion;
  /** Runs it with `values` as a values file on stdin, if `args` have `-f -`; never rejects for an exit code. */
  run(args: readonly string[], values?: Values): Promise<CommandResult>;
  /** The same, but a failing command rejects with its output; resolves with stdout. */
  ok(args: readonly string[], values?: Values): Promise<string>;
  /** `helm template` of a chart, as the release and namespace that the kustomize base has. Resolves with the text. */
  template(chart: string, values?: Values, ...more: readonly string[]): Promise<string>;
  /** Removes its folders. */
  close(): void;
}

/** Resolves with a Helm of this version, built if it is missing. */
export async function openHelm(version: HelmVersion, kubeconfig?: string): Promise<Helm> {
  const { [version]: tool } = await ensureTools([version]);
  const home = mkdtempSync(join(tmpdir(), `${version}-`));
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    ...Object.fromEntries(['CACHE', 'CONFIG', 'DATA'].map((kind) => [`HELM_${kind}_HOME`, join(home, kind)])),
    // without a cluster none is to be found by accident
    KUBECONFIG: kubeconfig ?? join(home, 'none'),
  };
  const run: Helm['run'] = (args, values) =>
    new Promise((resolve, reject) => {
      // Helm's field manager is the name that it was called by
      const child = spawn(tool.path, args, { env, cwd: home, argv0: 'helm' });
      let [stdout, stderr] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      child.once('error', reject);
      child.once('close', (code) => resolve({ stdout, stderr, code: code ?? -1 }));
      child.stdin.on('error', () => undefined); // it may end before it reads
      child.stdin.end(values === undefined ? '' : JSON.stringify(values));
    });
  const ok: Helm['ok'] = async (args, values) => {
    const { stdout, stderr, code } = await run(args, values);
    if (code !== 0) throw new Error(`${version} ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
    return stdout;
  };
  return {
    version,
    run,
    ok,
    template: (chart, values = {}, ...more) =>
      ok(['template', RELEASE, chart, '-n', NAMESPACE, '-f', '-', ...more], values),
    close: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** The objects in YAML documents; throws for a document that is no YAML, or has a key twice. */
export function manifestsIn(yaml: string): readonly Manifest[] {
  return parseAllDocuments(yaml)
    .map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
}

/** KIND/NAME of an object. */
export const idOf = ({ kind, metadata }: Pick<Manifest, 'kind' | 'metadata'>): string => `${kind}/${metadata.name}`;
