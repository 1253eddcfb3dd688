import { expect } from 'chai';
import { stored } from './api-server.ts';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, containerOf, deployment } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

const small = { requests: { cpu: '100m', memory: '90Mi' }, limits: { cpu: '200m', memory: '100Mi' } };
const large = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } };
const unlimited = { requests: { cpu: '10m' } };

function podWith(...resources: (object | undefined)[]): Workload {
  const containers = resources.map((one, index) =>
    container({ name: `app-${index}`, ...(one && { resources: one }), ...(index > 0 && { env: [] }) }),
  );
  return deployment({ containers });
}

const followed = (object: Workload, rule = ruleWith()): unknown =>
  containerOf(admitted(object, rule), 'vault-env').resources;

describe('the resources of the init container', () => {
  const table: readonly (readonly [what: string, resources: readonly (object | undefined)[], expected: object])[] = [
    ['none, if no container has any', [undefined, {}], {}],
    ['those of the only container', [small], small],
    ['those of the container with the most memory', [small, large], large],
    ['of that with no memory limit', [large, unlimited, small], unlimited],
    [
      'of the first of two that are alike',
      [{ limits: { memory: '1024Mi', cpu: 1 } }, large],
      { limits: { memory: '1024Mi', cpu: 1 } },
    ],
    ['only requests, if that is what there is', [{ requests: { memory: '64Mi' } }], { requests: { memory: '64Mi' } }],
    [
      'no devices, huge pages and claims',
      [{ limits: { 'nvidia.com/gpu': 1, 'hugepages-2Mi': '2Mi', cpu: '1' }, claims: [{ name: 'gpu' }] }],
      { limits: { cpu: '1' } },
    ],
    ['at least as much memory as it takes', [{ limits: { memory: '16Mi' } }], { limits: { memory: '32Mi' } }],
    [
      'the same of a guaranteed pod',
      [{ requests: { cpu: '1', memory: '16Mi' }, limits: { cpu: '1', memory: '16Mi' } }],
      { requests: { cpu: '1', memory: '32Mi' }, limits: { cpu: '1', memory: '32Mi' } },
    ],
    [
      'a smaller request stays',
      [{ requests: { memory: '8Mi' }, limits: { memory: '16Mi' } }],
      { requests: { memory: '8Mi' }, limits: { memory: '32Mi' } },
    ],
  ];
  for (const [what, resources, expected] of table)
    it(`are ${what}`, () => {
      const object = podWith(...resources);
      expect(followed(object)).to.deep.equal(expected);
      expect(mutate(admitted(object, ruleWith()), ruleWith()).patch, 'the second time').to.deep.equal([]);
      expect(mutate(stored(admitted(object, ruleWith())), ruleWith()).patch, 'stored').to.deep.equal([]);
    });

  it('are none where those of the pod are malformed', () => {
    expect(followed(podWith({ limits: 'many', requests: [1] }))).to.deep.equal({});
  });

  it('are those of the policy where it has some', () => {
    const resources = { limits: { memory: '64Mi' } };
    expect(followed(podWith(large), ruleWith({ injector: { resources } }))).to.deep.equal(resources);
    expect(followed(podWith(large), ruleWith({ injector: { resources: {} } }))).to.deep.equal({});
  });

  it('go where those of the pod go, also to nothing', () => {
    const live = admitted(podWith(large), ruleWith());
    containerOf(live, 'app-0').resources = small;
    const after = admitted(live, ruleWith());
    expect(containerOf(after, 'vault-env').resources).to.deep.equal(small);
    containerOf(after, 'app-0').resources = {};
    expect(containerOf(admitted(after, ruleWith()), 'vault-env').resources).to.deep.equal({});
  });
});
