import { expect } from 'chai';

import { systemClock } from '../../../../kube/clock.ts';
import { createTracing, NO_TRACING } from '../../../../operator/composition/tracing.ts';
import { NO_SPAN } from '../../../../kube/tracer.ts';
import { testLog } from '../../../support/test-log.ts';

describe('traces in the composition', () => {
  it('are nothing at all where no variable asks for them', async () => {
    const { logger, lines } = testLog();
    const tracing = await createTracing({ OTEL_SERVICE_NAME: 'x' }, { clock: systemClock, logger });
    expect(tracing).to.equal(NO_TRACING);
    expect(tracing.part).to.equal(undefined);
    expect(tracing.tracer.start('review')).to.equal(NO_SPAN);
    expect(NO_SPAN.child('read objects')).to.equal(NO_SPAN);
    expect(lines).to.deep.equal([]);
  });

  it('say what is wrong, and the operator starts without them', async () => {
    const { logger, lines } = testLog();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(await createTracing(env, { clock: systemClock, logger })).to.equal(NO_TRACING);
    expect(lines).to.have.length(1);
    expect(lines[0]?.level).to.equal('warn');
    expect(lines[0]?.fields.advice).to.contain('write http/protobuf');
  });

  it('say where they go, without path and query, and stop without a collector', async () => {
    const { logger, lines } = testLog();
    const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318/canary?key=canary' };
    const { part, tracer } = await createTracing(env, { clock: systemClock, logger });
    expect(lines).to.have.length(1);
    expect(lines[0]?.fields).to.deep.include({ collector: 'http://127.0.0.1:4318', protocol: 'http/protobuf' });
    expect(JSON.stringify(lines)).not.to.contain('canary');
    expect(tracer.start('review').isRecorded).to.equal(true);
    await part?.stop?.();
  });
});
