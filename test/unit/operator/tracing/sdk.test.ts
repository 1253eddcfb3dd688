import { expect } from 'chai';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { OutageLog } from '../../../../kube/outage-log.ts';
import { systemClock } from '../../../../kube/clock.ts';
import type { Clock } from '../../../../kube/clock.ts';
import { createSdk } from '../../../../operator/tracing/sdk.ts';
import type { Tracing } from '../../../../operator/tracing/sdk.ts';
import { readTracing } from '../../../../operator/tracing/settings.ts';
import { eventually } from '../../../support/operator.ts';
import { HOSTILE, hiddenIn } from '../../../support/hostile-text.ts';
import { createAuthority } from '../../../support/pki.ts';
import { startSpanReceiver } from '../../../support/span-receiver.ts';
import type { SpanReceiver } from '../../../support/span-receiver.ts';
import { testLog } from '../../../support/test-log.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

/** On which pauses between attempts, and the time to send the last spans, take a hundredth. */
const QUICK: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) };
/** On which they take twenty times as long, for a slow machine. */
const PATIENT: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms * 20, signal) };

describe('the SDK of OpenTelemetry', function () {
  this.timeout(30_000);
  let receiver: SpanReceiver;
  let log: ReturnType<typeof testLog>;
  /** What is left to be stopped when a test fails. */
  let stops: (() => Promise<void>)[] = [];

  beforeEach(() => {
    log = testLog();
  });
  afterEach(async () => {
    for (const stop of stops.reverse()) await stop();
    stops = [];
  });

  const receive = async (answer?: RequestListener): Promise<void> => {
    receiver = await startSpanReceiver(answer);
    stops.push(() => receiver.close());
  };
  const sdk = (env: Record<string, string> = {}, clock = systemClock): Tracing => {
    const { settings } = readTracing({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '1',
      ...env,
    });
    if (settings === undefined) throw new Error('traces are off');
    const { logger } = log;
    const outages = new OutageLog({ clock, logger });
    const tracing = createSdk({ settings, version: '1.2.3', instance: 'pod-1', clock, logger, outages });
    stops.push(() => tracing.stop());
    return tracing;
  };
  const warning = (): Promise<Record<string, unknown>> =>
    eventually('a warning', () => log.lines.find(({ level }) => level === 'warn')?.fields);
  const one = (tracing: Tracing): void => tracing.tracer.start('review').end();

  it('sends spans with their parents, attributes and failures, and what process they are of', async () => {
    await receive();
    const { tracer } = sdk({ OTEL_EXPORTER_OTLP_HEADERS: 'x-team=a', OTEL_RESOURCE_ATTRIBUTES: 'cluster=c' });
    const root = tracer.start('review', `00-${TRACE}-${SPAN}-01`);
    const wait = root.child('read objects');
    wait.set({ 'vaultinjection.objects': 2, 'vaultinjection.objects.unreadable': undefined });
    wait.end();
    root.set({ 'vaultinjection.dry_run': true });
    root.fail('Denied');
    expect(root.traceparent).to.match(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    root.end();
    const review = await receiver.span('the review', ({ name }) => name === 'review');
    expect(review).to.deep.include({ traceId: TRACE, parentSpanId: SPAN, kind: 2, isError: true });
    expect(review.attributes).to.deep.equal({ 'vaultinjection.dry_run': true, 'error.type': 'Denied' });
    expect(review.resource).to.include({
      'service.name': 'vault-injection-operator',
      'service.version': '1.2.3',
      'service.instance.id': 'pod-1',
      'telemetry.sdk.language': 'nodejs',
      cluster: 'c',
    });
    const read = await receiver.span('the read', ({ name }) => name === 'read objects');
    expect(read).to.deep.include({ traceId: TRACE, parentSpanId: review.spanId, isError: false });
    expect(read.attributes).to.deep.equal({ 'vaultinjection.objects': 2 });
    expect(receiver.paths[0]).to.equal('/v1/traces');
    expect(receiver.headers[0]).to.include({ 'x-team': 'a', 'user-agent': 'vault-injection-operator/1.2.3' });
  });

  it('records what the sampler says: the parent, or a share of its own', async () => {
    await receive();
    const { tracer } = sdk();
    const unsampled = tracer.start('review', `00-${TRACE}-${SPAN}-00`);
    expect(unsampled.isRecorded).to.equal(false);
    expect(unsampled.traceparent).to.equal(undefined);
    expect(unsampled.child('read objects').isRecorded).to.equal(false);
    expect(tracer.start('review', 'malformed').isRecorded).to.equal(true);
    expect(sdk({ OTEL_TRACES_SAMPLER: 'always_off' }).tracer.start('review').isRecorded).to.equal(false);
    const always = sdk({ OTEL_TRACES_SAMPLER: 'always_on' }).tracer;
    expect(always.start('review', `00-${TRACE}-${SPAN}-00`).isRecorded).to.equal(true);
    const none = sdk({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }).tracer;
    expect(none.start('review').isRecorded).to.equal(false);
    expect(none.start('review', `00-${TRACE}-${SPAN}-01`).isRecorded).to.equal(true);
    expect(
      sdk({ OTEL_PROPAGATORS: 'none' }).tracer.start('review', `00-${TRACE}-${SPAN}-01`).traceparent,
    ).not.to.contain(TRACE);
  });

  it('shows the text of others as one short line', async () => {
    await receive();
    const span = sdk().tracer.start('review');
    span.set({ 'k8s.deployment.name': HOSTILE, 'vaultinjection.policy.name': HOSTILE });
    span.fail(HOSTILE);
    span.end();
    const { attributes } = await receiver.span('the span', () => true);
    expect(Object.keys(attributes)).to.have.members([
      'k8s.deployment.name',
      'vaultinjection.policy.name',
      'error.type',
    ]);
    for (const text of Object.values(attributes)) {
      expect(hiddenIn(String(text))).to.deep.equal([]);
      expect(String(text).length).to.equal(256);
    }
  });

  it('compresses if asked to', async () => {
    await receive();
    one(sdk({ OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' }));
    await receiver.span('the span', ({ name }) => name === 'review');
    expect(receiver.headers[0]).to.include({ 'content-encoding': 'gzip' });
  });

  it('says once that the collector is not there, and once that it is again', async () => {
    let isUp = false;
    await receive((_request, response) => response.writeHead(isUp ? 200 : 500).end());
    const tracing = sdk();
    one(tracing);
    expect(await warning()).to.deep.include({ error: 'the collector answers 500', droppedSpans: 1 });
    one(tracing);
    await eventually('the second batch', () => (receiver.headers.length === 2 ? true : undefined));
    isUp = true;
    // the answer to the second batch was given before the third is sent
    await eventually('the end', () => {
      one(tracing);
      return log.lines.find(({ message }) => message === 'exporting spans works again');
    });
    expect(log.lines.filter(({ level }) => level === 'warn')).to.have.length(1);
  });

  /** What the collector does, what is said of it, and the milliseconds that a batch may take: where they must end, few. */
  const failures: readonly (readonly [string, RequestListener, string, number?])[] = [
    [
      '401',
      (_request, response) => response.writeHead(401).end(),
      '401: check the token in OTEL_EXPORTER_OTLP_HEADERS',
    ],
    ['404', (_request, response) => response.writeHead(404).end('x'), 'the address without /v1/traces'],
    [
      'a redirect',
      (_request, response) => response.writeHead(307, { location: '/x' }).end(),
      'redirects are not followed',
    ],
    ['no answer', () => undefined, 'the collector was not reached: no answer in time', 300],
    [
      'a closed connection',
      (request) => request.socket.destroy(),
      'the collector was not reached: connection reset',
      3_000,
    ],
    ['headers that come slowly', (request) => drip(request.socket, 'HTTP/1.1 200 OK\r\nx: '), 'no answer in time', 300],
    [
      'a body that comes slowly',
      (request) => drip(request.socket, 'HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n'),
      'no answer in time',
      300,
    ],
    ['something else than HTTP', (request) => request.socket.end('\u0000\u0000\u0012'), 'does not speak HTTP/1.1'],
    [
      'a wish to wait for a day',
      (_request, response) => response.writeHead(503, { 'retry-after': '86400' }).end(),
      'the collector answers 503',
      1_500,
    ],
    [
      'spans that it rejects',
      (_request, response) =>
        response
          .writeHead(200)
          .end(JSON.stringify({ partialSuccess: { rejectedSpans: '9', errorMessage: 'no\u001b[31m' } })),
      'the collector rejects 1 of 1 spans',
    ],
  ];
  for (const [what, answer, says, timeoutMs = 10_000] of failures) {
    it(`loses the batch and says why, if the collector has for it ${what}`, async () => {
      await receive(answer);
      one(sdk({ OTEL_EXPORTER_OTLP_TIMEOUT: String(timeoutMs) }, QUICK));
      const { error, droppedSpans } = await warning();
      expect(error).to.contain(says);
      expect(droppedSpans).to.equal(1);
      expect(receiver.paths).not.to.include('/x');
    });
  }

  it('takes an answer without an end for one that says nothing', async () => {
    await receive((_request, response) => {
      response.writeHead(200);
      response.write('x'.repeat(200_000));
    });
    const tracing = sdk();
    one(tracing);
    await eventually('the batch', () => (receiver.headers.length === 1 ? true : undefined));
    // the next batch is sent when this one is delivered
    one(tracing);
    await eventually('the next', () => (receiver.headers.length === 2 ? true : undefined));
    expect(log.lines).to.deep.equal([]);
  });

  it('sends again what a collector that is busy asks for', async () => {
    let calls = 0;
    await receive((_request, response) => response.writeHead(calls++ === 0 ? 503 : 200).end());
    const tracing = sdk({}, QUICK);
    one(tracing);
    await eventually('the second try', () => (receiver.headers.length === 2 ? true : undefined));
    // the next batch is sent when this one is delivered
    one(tracing);
    await eventually('the next', () => (receiver.headers.length === 3 ? true : undefined));
    expect(log.lines).to.deep.equal([]);
  });

  it('holds no more spans than the bound, and counts the others', async () => {
    await receive(() => undefined);
    const tracing = sdk({ OTEL_BSP_MAX_QUEUE_SIZE: '10', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '4' }, QUICK);
    for (let count = 0; count < 1_000; count++) one(tracing);
    const { error, droppedSpans } = await warning();
    expect(error).to.contain('more spans than 10 wait').and.contain('OTEL_TRACES_SAMPLER');
    expect(droppedSpans).to.equal(1);
    await tracing.stop();
    const last = log.lines.at(-1);
    expect(last?.message).to.equal('the collector did not take all spans before the end');
    // some may have been given up as lost before
    expect(last?.fields.droppedSpans).to.equal(1_000);
  });

  it('connects to nothing before a span has ended, and stops at once then', async () => {
    await receive();
    const tracing = sdk();
    tracing.tracer.start('review');
    await tracing.stop();
    expect(receiver.headers).to.deep.equal([]);
    expect(log.lines).to.deep.equal([]);
  });

  it('sends at the end what waits, and nothing afterwards', async () => {
    await receive();
    const tracing = sdk({ OTEL_BSP_SCHEDULE_DELAY: '600000' }, PATIENT);
    one(tracing);
    await tracing.stop();
    expect(receiver.spans).to.have.length(1);
    one(tracing);
    await tracing.stop();
    expect(receiver.spans).to.have.length(1);
  });

  it('trusts the authority in a file, which may be renewed, and says what is wrong with it', async () => {
    const authority = await createAuthority('collectors');
    receiver = await startSpanReceiver(undefined, await authority.server('collector', ['127.0.0.1']));
    stops.push(() => receiver.close());
    const folder = mkdtempSync(join(tmpdir(), 'traces-'));
    stops.push(() => rm(folder, { recursive: true }));
    const file = join(folder, 'ca.crt');
    const tracing = sdk({ OTEL_EXPORTER_OTLP_CERTIFICATE: file });
    one(tracing);
    expect((await warning()).error).to.equal('the file that OTEL_EXPORTER_OTLP_CERTIFICATE names: ENOENT');
    writeFileSync(file, (await createAuthority('others')).certificate);
    one(sdk({ OTEL_EXPORTER_OTLP_CERTIFICATE: file }));
    await eventually('the other warning', () =>
      log.lines.find(({ fields }) =>
        String(fields.error).startsWith('TLS with the collector failed (UNABLE_TO_VERIFY_LEAF_SIGNATURE): check OTEL_'),
      ),
    );
    writeFileSync(file, authority.certificate);
    one(tracing);
    await receiver.span('the span', ({ name }) => name === 'review');
    await eventually('the end', () => log.lines.find(({ message }) => message === 'exporting spans works again'));
  });
});

/** Sends a head, and then a byte now and then until the other side has had enough. */
function drip(
  socket: NodeJS.WritableStream & { on(event: string, listener: () => void): unknown },
  head: string,
): void {
  socket.write(head);
  const timer = setInterval(() => void socket.write('x'), 20);
  socket.on('close', () => clearInterval(timer));
  socket.on('error', () => clearInterval(timer));
}
