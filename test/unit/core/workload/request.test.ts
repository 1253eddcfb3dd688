import { expect } from 'chai';

import { formatRequest, parseRequest } from '../../../../core/workload/request.ts';
import type { Request } from '../../../../core/workload/request.ts';

const KEY = 'vaultinjection.dev/requested';

describe('a request to admission', () => {
  const request: Request = { kind: 'Rollout', hash: '0123456789ab', attempt: 2, time: Date.UTC(2026, 0, 2, 3, 4, 5) };

  it('is one line that says what, of which rule, which attempt and when', () => {
    expect(formatRequest(request)).to.equal('Rollout/0123456789ab/2/2026-01-02T03:04:05Z');
  });

  it('is read as it was written, without its milliseconds', () => {
    expect(parseRequest({ [KEY]: formatRequest({ ...request, time: request.time + 999 }) })).to.deep.equal(request);
  });

  for (const text of [
    '',
    'now',
    'Rollout/0123456789ab/2',
    'Rollout/0123456789ab/0/2026-01-02T03:04:05Z',
    'Rollout/xyz/1/2026-01-02T03:04:05Z',
    'Dance/0123456789ab/1/2026-01-02T03:04:05Z',
    'Repair/0123456789ab/1/2026-13-02T03:04:05Z',
    'Repair/0123456789ab/1/2026-01-02T03:04:05Z/more',
  ]) {
    it(`is none if somebody wrote ${JSON.stringify(text)}`, () => {
      expect(parseRequest({ [KEY]: text })).to.equal(undefined);
    });
  }

  it('is none if there is no annotation', () => {
    expect(parseRequest({})).to.equal(undefined);
  });
});
