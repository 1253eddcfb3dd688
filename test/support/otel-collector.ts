/** A real OpenTelemetry Collector, built from its modules, that sends what it receives on to a test. */
import { connect } from 'node:net';
import { stringify } from 'yaml';

import { ensureTools } from '../../build/tools/tools.ts';
import { freePorts } from './ports.ts';
import type { SpanReceiver } from './span-receiver.ts';
import { openWorkspace } from './workspace.ts';

export interface Collector {
  /** http://127.0.0.1:PORT, where it takes OTLP over HTTP. */
  readonly endpoint: string;
  /** 127.0.0.1:PORT, where it takes OTLP over gRPC, as API servers send it. */
  readonly grpc: string;
  stop(): Promise<void>;
}

/** Starts a collector, and resolves when it listens. Builds it first if need be. */
export async function startCollector(receiver: Pick<SpanReceiver, 'endpoint'>): Promise<Collector> {
  const programs = await ensureTools(['otel-collector']);
  const [http = 0, grpc = 0] = await freePorts(2);
  const workspace = await openWorkspace('otel');
  const config = workspace.write('config.yaml', stringify(configuration(receiver.endpoint, http, grpc)));
  const collector = workspace.start('otel-collector', [programs['otel-collector'].path, `--config=file:${config}`]);
  try {
    await workspace.waitFor(collector, 'it listened', async () => (await listens(http)) && (await listens(grpc)));
  } catch (error) {
    await workspace.close();
    throw error;
  }
  return {
    endpoint: `http://127.0.0.1:${http}`,
    grpc: `127.0.0.1:${grpc}`,
    stop: async () => {
      await collector.stop();
      await workspace.close();
    },
  };
}

function configuration(endpoint: string, http: number, grpc: number): object {
  return {
    receivers: {
      otlp: { protocols: { http: { endpoint: `127.0.0.1:${http}` }, grpc: { endpoint: `127.0.0.1:${grpc}` } } },
    },
    exporters: {
      otlphttp: { endpoint, encoding: 'json', compression: 'none', sending_queue: { enabled: false } },
    },
    service: {
      pipelines: { traces: { receivers: ['otlp'], exporters: ['otlphttp'] } },
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
