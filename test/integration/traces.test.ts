import { expect } from 'chai';
import { stringify } from 'yaml';

import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane } from '../support/control-plane.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';
import { startCollector } from '../support/otel-collector.ts';
import { startSpanReceiver } from '../support/span-receiver.ts';
import type { ReceivedSpan, SpanReceiver } from '../support/span-receiver.ts';
import { webhookPath } from '../support/webhook-path.ts';
import { openWorkspace } from '../support/workspace.ts';
import { Cluster } from './cluster.ts';
import { container, deployment, policy } from './manifests.ts';

const SERVER = 2;
const CLIENT = 3;
const TOKEN = 'canary-token-of-the-collector';

describe('traces, with a real API server and a real OpenTelemetry Collector', function () {
  this.timeout(90_000);
  let receiver: SpanReceiver;
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;

  /** What was started, to be stopped in reverse order. */
  const started: (() => Promise<unknown>)[] = [];

  before(async function () {
    this.timeout(BUILDING_MS);
    receiver = await startSpanReceiver();
    started.push(() => receiver.close());
    const collector = await startCollector(receiver);
    started.push(() => collector.stop());
    const workspace = await openWorkspace('traces');
    started.push(() => workspace.close());
    const tracing = {
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'TracingConfiguration',
      endpoint: collector.grpc,
      samplingRatePerMillion: 1_000_000,
    };
    const file = workspace.write('tracing.yaml', stringify(tracing));
    plane = await startControlPlane({ controllers: false, apiServerArgs: [`--tracing-config-file=${file}`] });
    started.push(() => plane.stop());
    cluster = new Cluster(plane);
    operator = await startOperator({
      controlPlane: plane,
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${TOKEN}`,
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
        OTEL_BSP_SCHEDULE_DELAY: '100',
      },
    });
    started.push(() => operator.stop());
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop', { environment: { allowedPaths: ['secret/data/shop/*'] } }));
  });
  after(async () => {
    for (const stop of started.reverse()) await stop();
  });

  const reviewOf = (name: string, namespace = 'shop'): Promise<ReceivedSpan> =>
    receiver.span(
      `the review of ${name}`,
      ({ name: span, attributes }) =>
        span === 'review' &&
        attributes['k8s.deployment.name'] === name &&
        attributes['k8s.namespace.name'] === namespace,
    );

  it('show the review of an applied Deployment as part of the request of the API server', async () => {
    await cluster.apply(deployment('shop', 'web'));
    const review = await reviewOf('web');
    expect(review.kind).to.equal(SERVER);
    expect(review.isError).to.equal(false);
    expect(review.attributes).to.include({
      'http.response.status_code': 200,
      'k8s.namespace.name': 'shop',
      'vaultinjection.containers.wrapped': 1,
      'vaultinjection.dry_run': false,
      'vaultinjection.entry': 'fail',
      'vaultinjection.operation': 'CREATE',
      'vaultinjection.outcome': 'Injected',
      'vaultinjection.policy.name': 'shop',
    });
    expect(review.resource).to.include({
      'service.name': 'vault-injection-operator',
      'deployment.environment.name': 'test',
    });
    const parent = await receiver.span('its parent', ({ spanId }) => spanId === review.parentSpanId);
    expect(parent.resource['service.name']).to.equal('apiserver');
    expect(parent.traceId).to.equal(review.traceId);
    const root = await receiver.span(
      'the request',
      ({ traceId, parentSpanId }) => traceId === review.traceId && parentSpanId === '',
    );
    expect(root.resource['service.name']).to.equal('apiserver');
  });

  it('show what a review waits for', async () => {
    await cluster.kubectl('create', 'configmap', 'settings', '-n', 'shop', '--from-literal=A=b');
    const app = container('app', { envFrom: [{ configMapRef: { name: 'settings' } }] } as object);
    await cluster.apply(deployment('shop', 'waiting', [app]));
    const review = await reviewOf('waiting');
    const read = await receiver.span('the read', ({ parentSpanId }) => parentSpanId === review.spanId);
    expect(read.name).to.equal('read objects');
    expect(read.attributes).to.include({ 'vaultinjection.objects.unreadable': 0 });
    expect(read.attributes['vaultinjection.objects']).to.be.greaterThan(0);
  });

  it('show a refusal as failed, with its reason and without its text', async () => {
    const env = [{ name: 'CANARY', value: 'vault:secret/data/canary/db#canary' }];
    const { stderr } = await plane.kubectl(
      ['apply', '-f', '-'],
      JSON.stringify(deployment('shop', 'refused', [container('app', { env })])),
    );
    expect(stderr).to.contain('policy shop does not allow');
    const review = await reviewOf('refused');
    expect(review.isError).to.equal(true);
    expect(review.attributes).to.include({ 'vaultinjection.outcome': 'Denied', 'error.type': 'PathNotAllowed' });
  });

  it('show the repair of a workload that was missed, with what the API server and the webhook do for it', async () => {
    await cluster.namespace('late');
    await cluster.apply(deployment('late', 'missed'));
    await cluster.policy(policy('late', 'late', { rollout: { strategy: 'Automatic' } }));
    const repair = await receiver.span(
      'the repair',
      ({ name, attributes }) => name === 'request admission' && attributes['k8s.deployment.name'] === 'missed',
    );
    expect(repair.kind).to.equal(CLIENT);
    expect(repair.attributes).to.include({ 'k8s.namespace.name': 'late', 'vaultinjection.result': 'Done' });
    const review = await reviewOf('missed', 'late');
    expect(review.attributes['vaultinjection.outcome']).to.equal('Injected');
    // The operator is an administrator here. For others, API servers begin a trace of their own that links to this one.
    expect(review.traceId).to.equal(repair.traceId);
    const request = await receiver.span('the PATCH', ({ parentSpanId }) => parentSpanId === repair.spanId);
    expect(request.resource['service.name']).to.equal('apiserver');
  });

  it('show how policies are reconciled, and what was written for them', async () => {
    const reconciled = await receiver.span(
      'a policy that was reconciled',
      ({ name, attributes }) => name === 'reconcile policy' && attributes['vaultinjection.policy.name'] === 'shop',
    );
    expect(reconciled.attributes['k8s.namespace.name']).to.equal('shop');
    const written = await receiver.span('a status', ({ name }) => name === 'write status');
    expect(receiver.spans.map(({ spanId }) => spanId)).to.include(written.parentSpanId);
  });

  it('hold no path of the webhook, no value, no reference and no token', async () => {
    const token = (await webhookPath(plane, 'fail')).split('/').at(-2) ?? '';
    expect(token).to.have.length.greaterThan(20);
    await reviewOf('refused');
    const ours = JSON.stringify(
      receiver.spans.filter(({ resource }) => resource['service.name'] === 'vault-injection-operator'),
    );
    expect(ours).to.contain('review');
    for (const secret of [token, 'secret/data', 'canary', 'shop serve', '/bin/shop', 'Bearer', TOKEN])
      expect(ours, secret).not.to.contain(secret);
    expect(operator.log()).not.to.contain(TOKEN);
  });

  it('end with the operator, which ends as it does without them', async () => {
    await operator.terminate();
    expect(operator.exitCode()).to.equal(0);
    expect(operator.log()).to.contain('spans are exported').and.contain('"msg":"stopped"');
  });
});
