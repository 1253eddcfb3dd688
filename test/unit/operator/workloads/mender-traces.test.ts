import { expect } from 'chai';

import type { KubernetesObject } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import type { PatchOptions } from '../../../../kube/object-client.ts';
import { KINDS } from '../../../../core/kinds.ts';
import { Mender } from '../../../../operator/workloads/mender.ts';
import type { Wanted } from '../../../../operator/workloads/mender.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { RecordingTracer, TRACEPARENT } from '../../../support/recorded-spans.ts';
import { testLog } from '../../../support/test-log.ts';

const WANTED = {
  action: { key: 'StatefulSet/shop/db', kind: 'Repair', annotations: { asked: 'canary' }, message: 'canary' },
  workload: { kind: 'StatefulSet', traits: KINDS.StatefulSet, metadata: { name: 'db', namespace: 'shop', uid: 'u' } },
} as unknown as Wanted;

describe('the trace of a repair', () => {
  const repaired = async (error?: Error): Promise<{ tracer: RecordingTracer; sent: PatchOptions | undefined }> => {
    const tracer = new RecordingTracer();
    let sent: PatchOptions | undefined;
    const patch = <T extends KubernetesObject>(...[, , , options]: [unknown, string, unknown, PatchOptions]) => {
      sent = options;
      return error === undefined ? Promise.resolve({} as T) : Promise.reject(error);
    };
    const mender = new Mender({
      client: { patch },
      clock: new ManualClock(),
      random: () => 1,
      logger: testLog().logger,
      mayAct: () => true,
      onDone: () => undefined,
      tracer,
    });
    mender.want('shop/policy', [WANTED]);
    await settle();
    await mender.stop();
    return { tracer, sent };
  };

  it('says which workload, why and with what result, and goes on in the API server', async () => {
    const { tracer, sent } = await repaired();
    expect(sent?.traceparent).to.equal(TRACEPARENT);
    const [span] = tracer.spans;
    expect(span).to.include({ name: 'request admission', parent: undefined, errorType: undefined, ends: 1 });
    expect(span?.attributes).to.deep.equal({
      'k8s.namespace.name': 'shop',
      'k8s.statefulset.name': 'db',
      'vaultinjection.action': 'Repair',
      'vaultinjection.result': 'Done',
    });
  });

  const failures: readonly (readonly [Error, string, string | undefined])[] = [
    [new ApiError(403, 'Forbidden', 'canary'), 'Refused', 'Forbidden'],
    [new ApiError(500, '', 'canary'), 'Failed', '500'],
    [new ApiError(404, 'NotFound', 'canary'), 'Gone', undefined],
  ];
  for (const [error, result, errorType] of failures) {
    it(`says ${result} by a word of the API server, and nothing else of what it said`, async () => {
      const [span] = (await repaired(error)).tracer.spans;
      expect(span).to.include({ errorType, ends: 1 });
      expect(span?.attributes['vaultinjection.result']).to.equal(result);
      expect(JSON.stringify(span)).not.to.contain('canary');
    });
  }
});
