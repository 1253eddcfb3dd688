import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import { failed, ok, warning } from '../../../../operator/check/report.ts';
import { runChecks, type Check } from '../../../../operator/check/run-checks.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';

describe('the checks', () => {
  const clock = new ManualClock();
  const begun: string[] = [];
  const run = async (...checks: readonly Check[]): Promise<readonly string[]> => {
    begun.length = 0;
    const lines = await runChecks(checks, {
      clock,
      timeoutMs: 30_000,
      hintOf: (error) => (error instanceof ApiError && error.code === 403 ? 'grant it' : undefined),
      onBegin: (check) => begun.push(check),
      onLine: () => undefined,
    });
    return lines.map(({ check, level, message, hint }) => [check, level, message, hint].filter(Boolean).join(' '));
  };
  const finds = (name: string, ...findings: ReturnType<typeof ok>[]): Check => ({
    name,
    run: () => Promise.resolve(findings),
  });

  it('run in their order, and may have several lines', async () => {
    expect(await run(finds('a', ok('1'), warning('2', 'do it')), finds('b', ok('3')))).to.deep.equal([
      'a Ok 1',
      'a Warning 2 do it',
      'b Ok 3',
    ]);
    expect(begun).to.deep.equal(['a', 'b']);
  });

  it('are left out where one that they need has failed or was left out itself, and not for a warning', async () => {
    const lines = await run(
      finds('a', failed('gone')),
      { ...finds('b', ok('1')), needs: ['a'] },
      { ...finds('c', ok('2')), needs: ['b'] },
      finds('d', warning('3')),
      { ...finds('e', ok('4')), needs: ['d'] },
    );
    expect(lines).to.deep.equal([
      'a Failed gone',
      'b Skipped not looked at, because a has failed',
      'c Skipped not looked at, because b has failed',
      'd Warning 3',
      'e Ok 4',
    ]);
  });

  it('fail with what the API server says, and with what to do about it', async () => {
    const refused: Check = { name: 'a', run: () => Promise.reject(new ApiError(403, 'Forbidden', 'GET /x: 403')) };
    expect(await run(refused)).to.deep.equal(['a Failed GET /x: 403 grant it']);
  });

  it('end in time, whatever hangs', async () => {
    const hanging = run({ name: 'a', run: () => new Promise(() => undefined) }, finds('b', ok('1')));
    await settle();
    await clock.advance(30_000);
    expect(await hanging).to.deep.equal(['a Failed no result within 30 s', 'b Ok 1']);
  });
});
