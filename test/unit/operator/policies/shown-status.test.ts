import { expect } from 'chai';
import { nextStatus } from '../../../../operator/policies/conditions.ts';
import { hiddenIn, HOSTILE } from '../../../support/hostile-text.ts';

describe('the text of a status', () => {
  const attention = [
    { kind: 'Deployment', name: HOSTILE, state: 'Failed', reason: 'NotInjected', message: HOSTILE, since: '' },
  ] as const;
  const ready = { type: 'Ready', status: 'False', reason: 'WebhookUnreachable', message: HOSTILE } as const;

  it('is shown, wherever it stands, and fits into what the CRD allows', () => {
    const injector = { delivery: 'Copy', message: HOSTILE } as const;
    const status = nextStatus(undefined, [ready], 1, 0, { attention: [...attention], injector });
    const texts: string[] = [];
    JSON.parse(JSON.stringify(status), (_name, value: unknown) => {
      if (typeof value === 'string') texts.push(value);
      return value;
    });
    expect(texts.flatMap(hiddenIn)).to.deep.equal([]);
    expect(status.attention?.[0]?.message).to.have.length(1_024);
    expect(status.injector?.message).to.have.length(1_024);
    expect(status.conditions?.[0]?.message).to.have.length(4_096);
  });

  it('keeps numbers and whatever is not text', () => {
    const workloads = { matched: 3, injected: 2 } as never;
    expect(nextStatus(undefined, [ready], 7, 0, { workloads })).to.deep.include({ observedGeneration: 7, workloads });
  });
});
