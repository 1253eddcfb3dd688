import { expect } from 'chai';

import { compilePolicy } from '../../../../core/policy/compile.ts';
import { chooseDelivery } from '../../../../core/policy/delivery-choice.ts';
import type { NodeFacts } from '../../../../core/policy/delivery-choice.ts';
import { defaults, policyOf, ruleOf } from '../../../support/example-policy.ts';

const node = (name: string, version = 'v1.37.2', runtime = 'containerd://2.1.4'): NodeFacts => ({
  name,
  version,
  runtime,
});

describe('the delivery that the operator chooses', () => {
  const able: readonly (readonly [version: string, runtime: string])[] = [
    ['v1.37.0', 'containerd://2.1.0'],
    ['v1.37.2-gke.100', 'containerd://2.1.4'],
    ['v1.38.1+k3s1', 'containerd://2.2.0-rc.1'],
    ['v2.0.0', 'containerd://3.0.1'],
  ];
  for (const [version, runtime] of able)
    it(`is an image volume with ${version} and ${runtime}`, () => {
      expect(chooseDelivery([node('a'), node('b', version, runtime)]).delivery).to.equal('ImageVolume');
    });

  const unable: readonly (readonly [version: string, runtime: string])[] = [
    ['v1.36.9', 'containerd://2.1.4'],
    ['v1.9.0', 'containerd://2.1.4'],
    ['v1.37.2', 'containerd://2.0.5'],
    ['v1.37.2', 'containerd://1.7.29'],
    ['v1.37.2', 'cri-o://1.37.0'],
    ['v1.37.2', 'containerd://v'],
    ['v1.37.2', ''],
    ['', 'containerd://2.1.4'],
    ['unknown', 'containerd://2.1.4'],
  ];
  for (const [version, runtime] of unable)
    it(`is an init container with ${version || 'no version'} and ${runtime || 'no runtime'} on one node`, () => {
      const { delivery, message } = chooseDelivery([node('a'), node('old', version, runtime), node('b')]);
      expect(delivery).to.equal('InitContainer');
      expect(message).to.match(/^node old has Kubernetes .*; image volumes need Kubernetes 1\.37 with containerd 2\.1/);
    });

  it('is an init container as long as no node is known', () => {
    expect(chooseDelivery([])).to.deep.equal({
      delivery: 'InitContainer',
      message: 'no node that runs Linux is known yet',
    });
  });

  it('says how many nodes there are, and nothing that a node makes up', () => {
    expect(chooseDelivery([node('a'), node('b')]).message).to.match(/^all nodes \(2\) can mount images/);
    const { message } = chooseDelivery([node('x'.repeat(9_999), 'v1\n<b>', `\u0000${'y'.repeat(9_999)}`)]);
    expect(message.length).to.be.below(400);
    expect(message).to.match(/^[\x20-\x7e]+$/);
  });

  it('of a policy is what its status says, and no part of the hash of its rule', () => {
    const chosen = (delivery: string): ReturnType<typeof ruleOf> => {
      const status = { injector: { delivery, message: 'm' } };
      const compiled = compilePolicy({ ...policyOf({ injector: { delivery: 'Auto' } }), status }, defaults);
      if (!compiled.ok || compiled.suspended) throw new Error('not compiled');
      return compiled.rule;
    };
    const [volume, container, unknown] = [chosen('ImageVolume'), chosen('InitContainer'), chosen('ByMagic')];
    expect(volume.injector).to.deep.include({ delivery: 'ImageVolume', isAuto: true });
    expect(container.injector).to.deep.include({ delivery: 'InitContainer', isAuto: true });
    expect(unknown.injector.delivery).to.equal('InitContainer');
    expect(new Set([volume.hash, container.hash, ruleOf({}).hash])).to.have.property('size', 1);
  });

  describe('where API servers take no image volumes', () => {
    const noImageVolumes = 'Kubernetes v1.30.14 has none';
    const compiled = (delivery: string, more: object = {}): ReturnType<typeof ruleOf> => {
      const status = { injector: { delivery: 'ImageVolume', message: 'm' } };
      const policy = { ...policyOf({ injector: { delivery, ...more } }), status };
      const result = compilePolicy(policy, { ...defaults, noImageVolumes });
      if (!result.ok || result.suspended) throw new Error('not compiled');
      return result.rule;
    };

    it('is an init container, with the reason, whatever the policy says', () => {
      const instead = { delivery: 'InitContainer', insteadBecause: noImageVolumes };
      expect(compiled('ImageVolume').injector).to.deep.include({ ...instead, isAuto: false });
      expect(compiled('Auto').injector).to.deep.include({ ...instead, isAuto: true });
      expect(compiled('InitContainer').injector).not.to.have.property('insteadBecause');
    });

    it('is that of a policy that asks for an init container: pods change when image volumes are there, not before', () => {
      expect(compiled('ImageVolume').hash).to.equal(ruleOf({ injector: { delivery: 'InitContainer' } }).hash);
      expect(compiled('ImageVolume').hash).not.to.equal(ruleOf({ injector: { delivery: 'ImageVolume' } }).hash);
    });
  });
});
