import { expect } from 'chai';

import { toKubernetesMicroTime, toKubernetesTime } from '../../../core/time.ts';

const MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

describe('times of Kubernetes', () => {
  it('are whole seconds as metav1.Time', () => expect(toKubernetesTime(MS)).to.equal('2026-01-02T03:04:05Z'));

  it('have six digits after the second as metav1.MicroTime', () => {
    expect(toKubernetesMicroTime(MS)).to.equal('2026-01-02T03:04:05.678000Z');
    expect(toKubernetesMicroTime(MS - 678)).to.equal('2026-01-02T03:04:05.000000Z');
  });

  it('can be read again', () => {
    expect(Date.parse(toKubernetesTime(MS))).to.equal(MS - 678);
    expect(Date.parse(toKubernetesMicroTime(MS))).to.equal(MS);
  });
});
