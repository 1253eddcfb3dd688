import { expect } from 'chai';

import { readTracing, VARIABLES } from '../../../../operator/tracing/settings.ts';
import type { TracingSettings } from '../../../../operator/tracing/settings.ts';

const ON = { OTEL_TRACES_EXPORTER: 'otlp' };

function settingsOf(env: Record<string, string>): TracingSettings {
  const { settings, problems } = readTracing({ ...ON, ...env });
  if (settings === undefined) throw new Error(`traces are off: ${problems.join('; ')}`);
  return settings;
}
const problemsOf = (env: Record<string, string>): readonly string[] => readTracing({ ...ON, ...env }).problems;

describe('the variables for traces', () => {
  const off: readonly (readonly [string, Record<string, string>])[] = [
    ['nothing is set', {}],
    ['the exporter is none', { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }],
    ['only an empty endpoint is set', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
    ['the SDK is disabled', { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }],
    ['a platform sets what is for others', { OTEL_METRICS_EXPORTER: 'otlp', OTEL_NODE_RESOURCE_DETECTORS: 'all' }],
    ['only something else is set', { OTEL_SERVICE_NAME: 'x', OTEL_TRACES_SAMPLER: 'xray' }],
  ];
  for (const [when, env] of off) {
    it(`leave them off, without a word, when ${when}`, () => {
      expect(readTracing(env)).to.deep.equal({ problems: [] });
    });
  }

  it('turn them on by an endpoint, or by the exporter alone', () => {
    const { settings } = readTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' });
    expect(settings?.url.href).to.equal('http://collector:4318/v1/traces');
    expect(settingsOf({}).url.href).to.equal('http://localhost:4318/v1/traces');
  });

  const urls: readonly (readonly [Record<string, string>, string])[] = [
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/otlp/' }, 'https://c/otlp/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://c/otlp' }, 'https://c/otlp'],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a/', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://b' }, 'http://a/'],
  ];
  for (const [env, url] of urls) {
    it(`send to ${url} for ${Object.values(env).join(' and ')}`, () => {
      expect(settingsOf(env).url.href).to.equal(url);
      expect(problemsOf(env)).to.deep.equal([]);
    });
  }

  it('have the defaults of the standard', () => {
    expect(settingsOf({})).to.deep.equal({
      url: new URL('http://localhost:4318/v1/traces'),
      protocol: 'http/protobuf',
      headers: {},
      isCompressed: false,
      timeoutMs: 10_000,
      tls: {},
      sampler: { followsParent: true, share: 1 },
      readsParent: true,
      queue: { delayMs: 5_000, mostWaiting: 2_048, mostAtOnce: 512 },
      resource: { 'service.name': 'vault-injection-operator' },
    });
  });

  it('say all that the standard lets them say', () => {
    const settings = settingsOf({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c:4318',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_HEADERS: 'X-Team=a%2Cb, authorization=Bearer%20x',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'authorization=Bearer%20y',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_TIMEOUT: '3000',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.crt',
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/tls.crt',
      OTEL_EXPORTER_OTLP_CLIENT_KEY: '/tls.key',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_PROPAGATORS: 'baggage',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_BSP_EXPORT_TIMEOUT: '2000',
      OTEL_BSP_MAX_QUEUE_SIZE: '64',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '128',
      OTEL_SERVICE_NAME: 'injector',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,deployment.environment.name=pre%20prod',
    });
    expect(settings).to.deep.include({
      protocol: 'http/json',
      headers: { 'x-team': 'a,b', authorization: 'Bearer y' },
      isCompressed: true,
      timeoutMs: 2_000,
      sampler: { followsParent: false, share: 0.25 },
      readsParent: false,
      queue: { delayMs: 100, mostWaiting: 64, mostAtOnce: 64 },
      resource: { 'service.name': 'injector', 'deployment.environment.name': 'pre prod' },
    });
    expect(Object.values(settings.tls).map(({ path }) => path)).to.deep.equal(['/ca.crt', '/tls.crt', '/tls.key']);
  });

  const samplers: readonly (readonly [string, boolean, number])[] = [
    ['parentbased_always_on', true, 1],
    ['parentbased_always_off', true, 0],
    ['parentbased_traceidratio', true, 0.5],
    ['always_on', false, 1],
    ['always_off', false, 0],
    ['traceidratio', false, 0.5],
  ];
  for (const [name, followsParent, share] of samplers) {
    it(`know the sampler ${name}`, () => {
      const { sampler } = settingsOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: '0.5' });
      expect(sampler).to.deep.equal({ followsParent, share });
    });
  }

  const unusable: readonly (readonly [Record<string, string>, string])[] = [
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER is "zipkin": write otlp, none'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, "write http/protobuf, and the collector's port for HTTP, which is 4318"],
    [{ OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'thrift' }, 'is "thrift": write http/protobuf, http/json'],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
      'OTEL_EXPORTER_OTLP_ENDPOINT is no URL that spans can be sent to',
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '4318' }, 'write one such as http://localhost:4318'],
  ];
  for (const [env, says] of unusable) {
    it(`leave them off and say what to write instead of ${Object.values(env).join()}`, () => {
      const { settings, problems } = readTracing({ ...ON, ...env });
      expect(settings).to.equal(undefined);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.contain(says);
    });
  }

  const ignored: readonly (readonly [Record<string, string>, string])[] = [
    [{ OTEL_SDK_DISABLED: 'yes' }, 'OTEL_SDK_DISABLED is "yes": write true or false'],
    [{ OTEL_TRACES_SAMPLER: 'jaeger_remote' }, 'OTEL_TRACES_SAMPLER is "jaeger_remote": write parentbased_always_on'],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' }, 'write a number from 0 to 1'],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: '-1' }, 'write a whole number from 1 to 20000; 2048 is taken'],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: '1000000' }, 'write a whole number from 1 to 20000; 2048 is taken'],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: '10s' }, 'OTEL_EXPORTER_OTLP_TIMEOUT is "10s": write a whole number'],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd' }, 'write none, gzip'],
    [{ OTEL_PROPAGATORS: 'b3,tracecontext' }, 'write tracecontext, baggage or none'],
    [{ OTEL_RESOURCE_ATTRIBUTES: 'a' }, 'OTEL_RESOURCE_ATTRIBUTES is ignored: write name=value'],
    [{ OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.crt' }, 'OTEL_EXPORTER_OTLP_CERTIFICATE has no effect'],
    [{ OTEL_EXPORTER_OTLP_INSECURE: 'true' }, 'OTEL_EXPORTER_OTLP_INSECURE has no effect: it is for gRPC'],
    [{ OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '5' }, 'OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT has no effect'],
    [{ OTEL_CONFIG_FILE: '/otel.yaml' }, 'OTEL_CONFIG_FILE has no effect: set the variables'],
    [
      { OTEL_TRACE_SAMPLER: 'always_off' },
      'there is no variable OTEL_TRACE_SAMPLER; did you mean OTEL_TRACES_SAMPLER?',
    ],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'host=x' }, 'the header host in OTEL_EXPORTER_OTLP_HEADERS is left out'],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c', OTEL_EXPORTER_OTLP_CLIENT_KEY: '/k' },
      'a client certificate needs its key',
    ],
  ];
  for (const [env, says] of ignored) {
    it(`take the default and say what to write for ${Object.entries(env).join().replace(',', '=')}`, () => {
      expect(problemsOf(env)).to.have.length(1);
      expect(problemsOf(env)[0]).to.contain(says);
      expect(readTracing({ ...ON, ...env }).settings).not.to.equal(undefined);
    });
  }

  it('are looked through for what was probably meant, even where they turn nothing on', () => {
    const { settings, problems } = readTracing({ OTEL_TRACE_EXPORTER: 'otlp' });
    expect(settings).to.equal(undefined);
    expect(problems).to.deep.equal(['there is no variable OTEL_TRACE_EXPORTER; did you mean OTEL_TRACES_EXPORTER?']);
  });

  it('never say what may be secret: headers, and passwords in addresses', () => {
    const canary = 'canary-2f61';
    const bad = [
      { OTEL_EXPORTER_OTLP_HEADERS: canary },
      { OTEL_EXPORTER_OTLP_HEADERS: `authorization=%zz${canary}` },
      { OTEL_EXPORTER_OTLP_HEADERS: `authorization=${canary}%0d%0ahost:x` },
      { OTEL_EXPORTER_OTLP_HEADERS: `${canary} x=y` },
      { OTEL_EXPORTER_OTLP_ENDPOINT: `http//user:${canary}@c` },
      { OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:${canary}@c` },
    ];
    for (const env of bad) {
      const { settings, problems } = readTracing({ ...ON, ...env });
      expect(problems, JSON.stringify(env)).to.have.length(1);
      expect(problems.join()).not.to.contain(canary);
      expect(settings?.url.href ?? '').not.to.contain(canary);
      expect(JSON.stringify(settings?.headers ?? {})).not.to.contain(canary);
    }
  });

  it('show what they quote as one short line', () => {
    const [problem = ''] = problemsOf({ OTEL_TRACES_SAMPLER: `\u001b[31m${'x'.repeat(10_000)}` });
    expect(problem).to.have.length.lessThan(400).and.not.contain('\u001b');
  });

  it('are those of the standard, each once', () => {
    expect(new Set(VARIABLES).size).to.equal(VARIABLES.length);
    for (const name of VARIABLES) expect(name).to.match(/^OTEL_[A-Z_]+$/);
  });
});
