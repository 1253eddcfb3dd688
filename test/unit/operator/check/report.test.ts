import { expect } from 'chai';

import {
  failed,
  isWell,
  lineText,
  ok,
  reportJson,
  summaryText,
  warning,
  type ReportLine,
} from '../../../../operator/check/report.ts';
import { hiddenIn, HOSTILE } from '../../../support/hostile-text.ts';

const at = (check: string, finding: Omit<ReportLine, 'check'>): ReportLine => ({ check, ...finding });

describe('the report of a check', () => {
  it('is a line with a sign and the name of the check, and the hint below', () => {
    expect(lineText(at('crd', ok('is there')))).to.equal('√ crd: is there\n');
    expect(lineText(at('crd', failed('is not there', 'apply it')))).to.equal(
      '× crd: is not there\n    hint: apply it\n',
    );
    expect(lineText(at('vaults', warning('is sealed')))).to.equal('‼ vaults: is sealed\n');
    expect(lineText(at('vaults', { level: 'Skipped', message: 'not looked at' }))).to.equal(
      '- vaults: not looked at\n',
    );
  });

  it('ends with how many of which kind there are', () => {
    expect(summaryText([ok('a')])).to.equal('\nStatus: √ all is well\n');
    expect(summaryText([ok('a'), warning('b')])).to.equal('\nStatus: √ 1 warning\n');
    expect(summaryText([failed('a'), warning('b'), warning('c')])).to.equal('\nStatus: × 1 failed, 2 warnings\n');
  });

  it('is well unless something has failed', () => {
    expect(isWell([ok('a'), warning('b'), { level: 'Skipped', message: 'c' }])).to.equal(true);
    expect(isWell([ok('a'), failed('b')])).to.equal(false);
  });

  it('is one object for programs', () => {
    expect(JSON.parse(reportJson('1.2.3', [at('crd', failed('m', 'h')), at('rights', ok('n'))]))).to.deep.equal({
      version: '1.2.3',
      ok: false,
      checks: [
        { check: 'crd', level: 'Failed', message: 'm', hint: 'h' },
        { check: 'rights', level: 'Ok', message: 'n' },
      ],
    });
  });

  it('shows what others have written as one line', () => {
    const line = at('policies', failed(HOSTILE, HOSTILE));
    expect(hiddenIn(lineText(line).replaceAll('\n', ''))).to.deep.equal([]);
    expect(lineText(line).split('\n')).to.have.length(3);
    const [shown] = (JSON.parse(reportJson('1', [line])) as { checks: ReportLine[] }).checks;
    expect(hiddenIn(`${shown?.message}${shown?.hint}`)).to.deep.equal([]);
  });
});
