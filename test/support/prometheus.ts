/** A real Prometheus on loopback (Debian's), with rules, that scrapes an API server and operators. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { stringify } from 'yaml';

import { ensureTools } from '../../build/tools/tools.ts';
import type { ControlPlane } from './control-plane.ts';
import { freePort } from './ports.ts';
import { openWorkspace } from './workspace.ts';

/** An alert that Prometheus knows. */
export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

export interface Prometheus {
  /** Resolves with the alerts that are pending or firing. */
  alerts(): Promise<readonly Alert[]>;
  /** Resolves with the result of a query: labels and value of each series. */
  query(expr: string): Promise<readonly { readonly labels: Record<string, string>; readonly value: number }[]>;
  /** Resolves with the values of a query over time: labels of each series, and its points as seconds since 1970 and value. */
  queryRange(expr: string, range: TimeRange): Promise<readonly SeriesOverTime[]>;
  /** Sets the operators to scrape, as host:port. Those that are gone are forgotten, as pods are. */
  scrape(operators: readonly string[]): void;
  stop(): Promise<void>;
}

/** In seconds; `from` and `to` since 1970. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

export interface SeriesOverTime {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [at: number, value: number])[];
}

export interface PrometheusOptions {
  readonly controlPlane: Pick<ControlPlane, 'authority' | 'caPem' | 'server'>;
  /** The text of a rule file. */
  readonly rules: string;
}

/** Starts a Prometheus that scrapes every other second and evaluates every second. Resolves when it is ready. */
export async function startPrometheus({ controlPlane, rules }: PrometheusOptions): Promise<Prometheus> {
  const { prometheus: tool } = await ensureTools(['prometheus']);
  const workspace = await openWorkspace('prom');
  try {
    // the group that the ClusterRole system:monitoring is bound to: no more than /metrics and the like
    const client = await controlPlane.authority.client('prometheus', ['system:monitoring']);
    const tls = {
      ca_file: workspace.write('ca.pem', controlPlane.caPem),
      cert_file: workspace.write('client.pem', client.certificate),
      key_file: workspace.write('client-key.pem', client.key),
    };
    const targets = join(workspace.dir, 'operators.json');
    const scrape = (operators: readonly string[]): void =>
      void workspace.write('operators.json', JSON.stringify([{ targets: operators }]));
    scrape([]);
    const config = {
      global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '1s' },
      rule_files: [workspace.write('alerts.yaml', rules)],
      scrape_configs: [
        {
          job_name: 'apiserver',
          scheme: 'https',
          tls_config: tls,
          static_configs: [{ targets: [new URL(controlPlane.server).host] }],
        },
        { job_name: 'vault-injection-operator', file_sd_configs: [{ files: [targets], refresh_interval: '1s' }] },
      ],
    };
    const address = `127.0.0.1:${await freePort()}`;
    const daemon = workspace.start('prometheus', [
      tool.path,
      `--config.file=${workspace.write('prometheus.yaml', stringify(config))}`,
      `--storage.tsdb.path=${join(workspace.dir, 'data')}`,
      `--web.listen-address=${address}`,
    ]);
    await workspace.waitFor(daemon, 'it was ready', () => isReady(address));
    return {
      alerts: async () => (await ask<{ alerts: Alert[] }>(address, '/api/v1/alerts')).alerts,
      query: async (expr) => {
        const path = `/api/v1/query?query=${encodeURIComponent(expr)}`;
        const { result } = await ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
          address,
          path,
        );
        return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
      },
      queryRange: async (expr, { from, to, step }) => {
        const parameters = new URLSearchParams({ query: expr, start: `${from}`, end: `${to}`, step: `${step}` });
        const { result } = await ask<{ result: { metric: Record<string, string>; values: [number, string][] }[] }>(
          address,
          `/api/v1/query_range?${parameters.toString()}`,
        );
        return result.map(({ metric, values }) => ({
          labels: metric,
          points: values.map(([at, value]) => [at, Number(value)] as const),
        }));
      },
      scrape,
      stop: async () => {
        await daemon.stop();
        await workspace.close();
      },
    };
  } catch (error) {
    await workspace.close();
    throw error;
  }
}

/** Runs promtool. Resolves with what it printed; rejects with that if it ends with another status than 0. */
export async function promtool(...args: string[]): Promise<string> {
  const { promtool: tool } = await ensureTools(['promtool']);
  try {
    const { stdout, stderr } = await promisify(execFile)(tool.path, args);
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`promtool ${args.join(' ')}:\n${stdout}${stderr}`, { cause: error });
  }
}

async function isReady(address: string): Promise<boolean> {
  try {
    return (await fetch(`http://${address}/-/ready`)).ok;
  } catch {
    return false;
  }
}

async function ask<T>(address: string, path: string): Promise<T> {
  const response = await fetch(`http://${address}${path}`);
  const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
  if (status !== 'success') throw new Error(`Prometheus refused ${path}: ${error ?? response.status}`);
  return data;
}
