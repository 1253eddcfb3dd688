import { expect } from 'chai';
import { compareQuantities, sameQuantity } from '../../../../core/injection/quantity.ts';
import { stored } from './api-server.ts';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, containerOf, deployment } from '../../../support/example-workload.ts';

describe('quantities', () => {
  const same: [string, string][] = [
    ['0.5', '500m'],
    ['1024Mi', '1Gi'],
    ['1000m', '1'],
    ['1e3', '1k'],
    ['1E3', '1000'],
    ['1.5Gi', '1536Mi'],
    ['.5', '500m'],
    ['+1', '1'],
    ['0', '0m'],
    ['100u', '0.1m'],
    ['0.0000000001', '1n'],
  ];
  for (const [a, b] of same) {
    it(`${a} is ${b}`, () => expect(sameQuantity(a, b)).to.equal(true));
  }

  const different: [unknown, unknown][] = [
    ['1', '2'],
    ['1K', '1k'],
    ['1M', '1Mi'],
    ['-1', '1'],
    ['', '0'],
    ['x', 'y'],
    ['1', 1],
    ['9'.repeat(40), '9'.repeat(41)],
  ];
  for (const [a, b] of different) {
    it(`${JSON.stringify(a)} is not ${JSON.stringify(b)}`, () => {
      expect(sameQuantity(a, b)).to.equal(false);
    });
  }

  for (const [less, more] of [
    ['31Mi', '32Mi'],
    ['1023Mi', '1Gi'],
    ['9Mi', '10M'],
    ['1500m', '2Mi'],
    ['0.5Gi', '513Mi'],
    ['1Gi', '123456789012Mi'],
  ]) {
    it(`${less} is less than ${more}`, () => {
      expect(compareQuantities(less, more)).to.be.below(0);
      expect(compareQuantities(more, less)).to.be.above(0);
    });
  }

  it('cannot be compared with what is none', () => {
    for (const none of ['Mi', '-', '1 Mi', 'xMi', undefined, 1]) {
      expect(compareQuantities('1Mi', none)).to.equal(undefined);
      expect(compareQuantities(none, '1Mi')).to.equal(undefined);
    }
  });

  it('of the init container stay as the API server writes them', () => {
    const resources = { requests: { cpu: '0.5', memory: '1024Mi' }, limits: { memory: '65536Ki' } };
    const rule = ruleWith({ injector: { resources } });
    const first = stored(admitted(deployment({ containers: [container()] }), rule));
    expect(containerOf(first, 'vault-env').resources).to.have.nested.property('requests.cpu', '500m');
    expect(mutate(first, rule).patch).to.deep.equal([]);
    const more = ruleWith({ injector: { resources: { ...resources, requests: { cpu: '1', memory: '1Gi' } } } });
    expect(mutate(first, more).patch.map(({ path }) => path)).to.include(
      '/spec/template/spec/initContainers/0/resources/requests/cpu',
    );
  });
});
