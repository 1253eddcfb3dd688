import { expect } from 'chai';

import { PageSizes } from '../../../kube/page-sizes.ts';

const LIST = '/apis/apps/v1/deployments';

describe('PageSizes', () => {
  it('asks for what is wanted as long as answers are short', () => {
    const sizes = new PageSizes();
    sizes.fitted(LIST, 50, 50);
    expect(sizes.next(LIST, 50)).to.equal(50);
    expect(sizes.next(LIST, undefined)).to.equal(undefined);
  });

  it('asks for an eighth after each answer that is too long, down to one object', () => {
    const sizes = new PageSizes();
    const asked: (number | undefined)[] = [];
    for (let more = true; more;) {
      const count = sizes.next(LIST, 500);
      asked.push(count);
      more = sizes.tooLong(LIST, count);
    }
    expect(asked).to.deep.equal([500, 62, 7, 1]);
  });

  it('asks for twice as many after each answer that fits, up to what is wanted', () => {
    const sizes = new PageSizes();
    sizes.tooLong(LIST, 50);
    const asked = Array.from({ length: 5 }, () => {
      const count = sizes.next(LIST, 50);
      sizes.fitted(LIST, count, 50);
      return count;
    });
    expect(asked).to.deep.equal([6, 12, 24, 48, 50]);
  });

  it('asks for no more than the next caller wants', () => {
    const sizes = new PageSizes();
    sizes.tooLong(LIST, 400);
    expect(sizes.next(LIST, 20)).to.equal(20);
  });

  it('lets one object be longer than a page, and nothing endless', () => {
    const sizes = new PageSizes();
    expect(sizes.mostOf(1).bytes)
      .to.be.greaterThan(sizes.mostOf(2).bytes)
      .and.lessThan(64 * 2 ** 20);
    expect(sizes.mostOf(undefined).bytes).to.equal(sizes.mostOf(1).bytes);
    expect(sizes.tooLong(LIST, undefined)).to.equal(false);
    expect(sizes.tooLong(LIST, 1)).to.equal(false);
  });

  it('knows one list from another', () => {
    const sizes = new PageSizes();
    sizes.tooLong(LIST, 50);
    expect(sizes.next('/api/v1/configmaps', 50)).to.equal(50);
  });
});
