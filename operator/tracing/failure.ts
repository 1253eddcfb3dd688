/** Why spans did not arrive, in words, and which variable to look at. Nothing of what the collector has said is in them. */
import { codeOf, explained, isUnknownName, tlsFaultOf } from '../../core/network-error.ts';
import type { TracingSettings } from './settings.ts';

/** A batch that was not delivered. */
export class SpansLost extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SpansLost';
    // where in this program it was created says nothing; the log shows it as one line
    this.stack = message;
  }
}

const ADVICE: Readonly<Record<number, string>> = {
  401: 'check the token in OTEL_EXPORTER_OTLP_HEADERS',
  403: 'check the token in OTEL_EXPORTER_OTLP_HEADERS',
  404: 'OTEL_EXPORTER_OTLP_ENDPOINT is the address without /v1/traces, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT the one with it',
  413: 'set a smaller OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
  415: 'write the other one of http/protobuf and http/json into OTEL_EXPORTER_OTLP_PROTOCOL',
};
const MOVED = 'write the address that it leads to; redirects are not followed';
const GRPC_PORT = 'is 4317 the port of gRPC? OTLP over HTTP has 4318';

/** Returns what an answer with this status means. */
export function refusedBy(status: number): SpansLost {
  const advice = ADVICE[status] ?? (status >= 300 && status < 400 ? MOVED : undefined);
  return new SpansLost(`the collector answers ${status}${advice === undefined ? '' : `: ${advice}`}`);
}

/** Returns what an error of the connection means, by its code alone. */
export function unreachable(error: unknown, { url }: Pick<TracingSettings, 'url'>): SpansLost {
  if (error instanceof SpansLost) return error;
  const code = codeOf(error);
  if (tlsFaultOf(code) !== undefined)
    return new SpansLost(
      `TLS with the collector failed (${code}): check OTEL_EXPORTER_OTLP_CERTIFICATE and the endpoint`,
    );
  const isNotHttp = code.startsWith('HPE_') || code === 'ECONNRESET';
  const advice = isNotHttp && url.port === '4317' ? `: ${GRPC_PORT}` : adviceFor(code);
  return new SpansLost(`the collector was not reached: ${explained(code) ?? code}${advice}`);
}

function adviceFor(code: string): string {
  if (isUnknownName(code)) return ' (the name does not resolve): check the endpoint';
  if (code.startsWith('HPE_')) return ' (it does not speak HTTP/1.1): check the endpoint';
  return '';
}
