import { expect } from 'chai';

import {
  describeError,
  isConflict,
  isForbidden,
  isGone,
  isNotFound,
  isRefusal,
  retryAfterOf,
} from '../../../kube/errors.ts';
import { ApiError } from '../../../kube/object-client.ts';

describe('errors of the API server', () => {
  const questions = { isNotFound, isConflict, isForbidden, isGone, isRefusal };
  const cases: readonly (readonly [number, readonly (keyof typeof questions)[]])[] = [
    [0, []],
    [400, ['isRefusal']],
    [403, ['isForbidden', 'isRefusal']],
    [404, ['isNotFound', 'isRefusal']],
    [409, ['isConflict']],
    [410, ['isGone', 'isRefusal']],
    [422, ['isRefusal']],
    [429, []],
    [500, []],
  ];
  for (const [code, answers] of cases) {
    it(`with code ${code} are told by ${answers.join(' and ') || 'none of the questions'}`, () => {
      const error = new ApiError(code, 'Some', 'some error');
      const told = Object.entries(questions).filter(([, isSo]) => isSo(error));
      expect(told.map(([name]) => name)).to.deep.equal(answers);
    });
  }

  it('are not other errors, whatever code those have', () => {
    const error = Object.assign(new Error('of somebody else'), { code: 404 });
    expect(Object.values(questions).some((isSo) => isSo(error))).to.equal(false);
  });

  it('say how long to wait, two minutes at most', () => {
    const asked = (ms?: number): number => retryAfterOf(new ApiError(429, 'TooManyRequests', 'later', ms));
    expect([asked(3_000), asked(3_600_000), asked(), retryAfterOf('text')]).to.deep.equal([3_000, 120_000, 0, 0]);
  });

  it('are described by their message, others by their stack, without their other properties', () => {
    expect(describeError(new ApiError(404, 'NotFound', 'GET /x: 404 NotFound'))).to.equal('GET /x: 404 NotFound');
    const leaky = Object.assign(new Error('broken'), { request: 'Bearer token' });
    expect(describeError(leaky))
      .to.match(/^Error: broken\n/)
      .and.not.include('Bearer');
    expect(describeError('Bearer token')).to.equal('a string was thrown');
  });
});
