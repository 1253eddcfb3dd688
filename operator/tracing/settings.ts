/**
 * What the variables OTEL_* say about traces. They are the standard's, so that people who run a collector know them; the
 * operator has no settings of its own for traces.
 */
import { editDistance } from '../../core/edit-distance.ts';
import { Variables } from './variables.ts';

export interface TracingSettings {
  /** Where spans are sent by POST. */
  readonly url: URL;
  readonly protocol: 'http/protobuf' | 'http/json';
  /** Confidential: often a token. */
  readonly headers: Readonly<Record<string, string>>;
  readonly isCompressed: boolean;
  /** Milliseconds for one batch of spans, with its repetitions. */
  readonly timeoutMs: number;
  /** Files with certificates, by the variable that names each. */
  readonly tls: { readonly ca?: NamedFile; readonly cert?: NamedFile; readonly key?: NamedFile };
  readonly sampler: {
    /** Whether spans of a trace that somebody else has begun are recorded if the trace is. */
    readonly followsParent: boolean;
    /** Of the traces that begin here, the share that is recorded. */
    readonly share: number;
  };
  /** Whether the header traceparent is read. */
  readonly readsParent: boolean;
  readonly queue: {
    /** Milliseconds that spans wait for others. */
    readonly delayMs: number;
    /** More spans than these are dropped. */
    readonly mostWaiting: number;
    readonly mostAtOnce: number;
  };
  /** Attributes of the process, service.name among them. */
  readonly resource: Readonly<Record<string, string>>;
}

export interface NamedFile {
  readonly variable: string;
  readonly path: string;
}

export interface ReadTracing {
  /** Undefined: traces are off. */
  readonly settings?: TracingSettings;
  /** What is wrong, and what to write instead. */
  readonly problems: readonly string[];
}

export const SERVICE_NAME = 'vault-injection-operator';

const EXPORTER = 'OTEL_TRACES_EXPORTER';
const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const TRACES_ENDPOINT = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
const PROTOCOLS = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'] as const;

// The port of OTLP over HTTP, and the path of traces (https://opentelemetry.io/docs/specs/otlp/#otlphttp-request).
const DEFAULT_ENDPOINT = 'http://localhost:4318';
const TRACES_PATH = 'v1/traces';

// A span that waits takes about 2 kB: 40 MiB of the memory that the Deployment has.
const MOST_WAITING = 20_000;
const LONGEST_MS = 600_000;

/** All variables that are read, for the reference and for those who misspell one. */
export const VARIABLES = [
  ...['OTEL_SDK_DISABLED', EXPORTER, ENDPOINT, TRACES_ENDPOINT, ...PROTOCOLS],
  ...['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'],
  ...['OTEL_EXPORTER_OTLP_TIMEOUT', 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT'],
  ...['OTEL_EXPORTER_OTLP_COMPRESSION', 'OTEL_EXPORTER_OTLP_TRACES_COMPRESSION'],
  ...['OTEL_EXPORTER_OTLP_CERTIFICATE', 'OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE'],
  ...['OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE', 'OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE'],
  ...['OTEL_EXPORTER_OTLP_CLIENT_KEY', 'OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY'],
  ...['OTEL_TRACES_SAMPLER', 'OTEL_TRACES_SAMPLER_ARG', 'OTEL_PROPAGATORS'],
  ...[
    'OTEL_BSP_SCHEDULE_DELAY',
    'OTEL_BSP_EXPORT_TIMEOUT',
    'OTEL_BSP_MAX_QUEUE_SIZE',
    'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
  ],
  ...['OTEL_SERVICE_NAME', 'OTEL_RESOURCE_ATTRIBUTES'],
] as const;

/** Variables of the standard that have no effect here, and what to do instead. */
const WITHOUT_EFFECT: readonly (readonly [RegExp, string])[] = [
  [/^OTEL_CONFIG_FILE$|^OTEL_EXPERIMENTAL_CONFIG_FILE$/, 'set the variables OTEL_* themselves'],
  [/^OTEL_EXPORTER_OTLP_(TRACES_)?INSECURE$/, 'it is for gRPC; the endpoint says http:// or https://'],
  [/^OTEL_(SPAN|LINK|EVENT)?_?ATTRIBUTE_|^OTEL_SPAN_(EVENT|LINK)_/, 'the operator bounds its spans itself'],
];

const TYPO = 2;

/** Reads the environment. Traces are off unless OTEL_TRACES_EXPORTER is otlp, or an endpoint is set. Never throws. */
export function readTracing(env: NodeJS.ProcessEnv): ReadTracing {
  const variables = new Variables(env);
  if (variables.isTrue('OTEL_SDK_DISABLED')) return { problems: [] };
  for (const name of Object.keys(env)) lookForTypo(name, variables);
  if (!isOn(variables)) return { problems: variables.problems };
  for (const name of Object.keys(env)) {
    const [, instead] = WITHOUT_EFFECT.find(([pattern]) => pattern.test(name)) ?? [];
    if (instead !== undefined && variables.first(name)) variables.problem(`${name} has no effect: ${instead}`);
  }
  const protocol = protocolOf(variables);
  const url = urlOf(variables);
  if (protocol === undefined || url === undefined) return { problems: variables.problems };
  const settings = { url, protocol, ...transportOf(variables, url), ...recordingOf(variables) };
  return { settings, problems: variables.problems };
}

function lookForTypo(name: string, variables: Variables): void {
  if (!name.startsWith('OTEL_') || (VARIABLES as readonly string[]).includes(name)) return;
  const meant = VARIABLES.find((known) => editDistance(name, known, TYPO) <= TYPO);
  if (meant !== undefined) variables.problem(`there is no variable ${name}; did you mean ${meant}?`);
}

function isOn(variables: Variables): boolean {
  const hasEndpoint = variables.first(TRACES_ENDPOINT, ENDPOINT) !== undefined;
  const exporter = variables.first(EXPORTER)?.value;
  if (exporter === undefined) return hasEndpoint;
  if (exporter === 'otlp') return true;
  if (exporter !== 'none') variables.oneOf([EXPORTER], ['otlp', 'none'], 'none');
  return false;
}

function protocolOf(variables: Variables): TracingSettings['protocol'] | undefined {
  const allowed = ['http/protobuf', 'http/json'] as const;
  const written = variables.first(...PROTOCOLS);
  if (written?.value !== 'grpc') return variables.oneOf(PROTOCOLS, allowed, 'http/protobuf');
  variables.problem(
    `${written.name} is "grpc", which the operator does not speak: write http/protobuf, and the collector's port for HTTP, which is 4318 and not 4317`,
  );
  return undefined;
}

function urlOf(variables: Variables): URL | undefined {
  const specific = variables.first(TRACES_ENDPOINT);
  const found = specific ?? variables.first(ENDPOINT) ?? { name: ENDPOINT, value: DEFAULT_ENDPOINT };
  const url = URL.canParse(found.value) ? new URL(found.value) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    // it may hold a password
    variables.problem(`${found.name} is no URL that spans can be sent to: write one such as ${DEFAULT_ENDPOINT}`);
    return undefined;
  }
  if (url.username !== '' || url.password !== '') {
    variables.problem(`${found.name} has a user or password, which is left out: write OTEL_EXPORTER_OTLP_HEADERS`);
    url.username = url.password = '';
  }
  url.hash = '';
  if (specific === undefined) url.pathname = `${url.pathname.replace(/\/$/, '')}/${TRACES_PATH}`;
  return url;
}

/** Variables for traces alone win over those for all signals. */
function both(name: string): readonly [string, string] {
  return [`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`];
}

function transportOf(
  variables: Variables,
  url: URL,
): Pick<TracingSettings, 'headers' | 'isCompressed' | 'timeoutMs' | 'tls'> {
  const [forTraces, forAll] = both('HEADERS');
  const headers = { ...variables.headers(forAll), ...variables.headers(forTraces) };
  const timeoutMs = Math.min(
    variables.wholeNumber(both('TIMEOUT'), 10_000, 1, LONGEST_MS),
    variables.wholeNumber(['OTEL_BSP_EXPORT_TIMEOUT'], 30_000, 1, LONGEST_MS),
  );
  const isCompressed = variables.oneOf(both('COMPRESSION'), ['none', 'gzip'], 'none') === 'gzip';
  const file = (name: string): NamedFile | undefined => {
    const found = variables.first(...both(name));
    return found && { variable: found.name, path: found.value };
  };
  const [ca, cert, key] = [file('CERTIFICATE'), file('CLIENT_CERTIFICATE'), file('CLIENT_KEY')];
  if (url.protocol === 'http:') {
    for (const one of [ca, cert, key])
      if (one) variables.problem(`${one.variable} has no effect: the endpoint begins with http://; write https://`);
    return { headers, isCompressed, timeoutMs, tls: {} };
  }
  if ((cert === undefined) !== (key === undefined))
    variables.problem('a client certificate needs its key: set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY');
  const pair = cert && key ? { cert, key } : {};
  return { headers, isCompressed, timeoutMs, tls: { ...(ca && { ca }), ...pair } };
}

const SAMPLERS = [
  ...(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const),
  ...(['always_on', 'always_off', 'traceidratio'] as const),
] as const;

function samplerOf(variables: Variables): TracingSettings['sampler'] {
  const byDefault = 'parentbased_always_on';
  const name = variables.oneOf(['OTEL_TRACES_SAMPLER'], SAMPLERS, byDefault) ?? byDefault;
  const followsParent = name.startsWith('parentbased_');
  const kind = name.replace('parentbased_', '');
  if (kind === 'traceidratio') return { followsParent, share: variables.share('OTEL_TRACES_SAMPLER_ARG') };
  return { followsParent, share: kind === 'always_on' ? 1 : 0 };
}

/** Baggage is accepted, and there is nobody to pass it on to. */
function readsParent(variables: Variables): boolean {
  const written = variables.first('OTEL_PROPAGATORS')?.value;
  if (written === undefined) return true;
  const names = written.split(',').map((name) => name.trim());
  if (names.some((name) => !['tracecontext', 'baggage', 'none'].includes(name)))
    variables.problem('OTEL_PROPAGATORS has one that API servers do not speak: write tracecontext, baggage or none');
  return names.includes('tracecontext');
}

function recordingOf(variables: Variables): Pick<TracingSettings, 'sampler' | 'readsParent' | 'queue' | 'resource'> {
  const mostWaiting = variables.wholeNumber(['OTEL_BSP_MAX_QUEUE_SIZE'], 2_048, 1, MOST_WAITING);
  const mostAtOnce = variables.wholeNumber(['OTEL_BSP_MAX_EXPORT_BATCH_SIZE'], 512, 1, MOST_WAITING);
  const delayMs = variables.wholeNumber(['OTEL_BSP_SCHEDULE_DELAY'], 5_000, 1, LONGEST_MS);
  const attributes = variables.pairs('OTEL_RESOURCE_ATTRIBUTES');
  const name = variables.first('OTEL_SERVICE_NAME')?.value ?? attributes['service.name'] ?? SERVICE_NAME;
  return {
    sampler: samplerOf(variables),
    readsParent: readsParent(variables),
    queue: { delayMs, mostWaiting, mostAtOnce: Math.min(mostAtOnce, mostWaiting) },
    resource: { ...attributes, 'service.name': name },
  };
}
