import { expect } from 'chai';
import { createLogger } from '../../../../operator/composition/logger.ts';
import { hiddenIn, HOSTILE } from '../../../support/hostile-text.ts';

describe('the log of the operator', () => {
  const written = (
    write: (logger: ReturnType<typeof createLogger>) => void,
    logFormat: 'json' | 'text' = 'json',
  ): readonly string[] => {
    const lines: string[] = [];
    write(createLogger({ logLevel: 'info', logFormat }, { write: (line) => void lines.push(line) }));
    return lines;
  };

  it('shows what anybody passes it: fields, messages and what children add', () => {
    const lines = written((logger) => {
      logger.info({ error: HOSTILE }, 'a field');
      logger.warn(HOSTILE);
      logger.child({ name: HOSTILE }).error('a child');
    });
    expect(lines).to.have.length(3);
    for (const line of lines) {
      expect(line.length).to.be.below(9_000);
      expect(hiddenIn(Object.values(JSON.parse(line) as object).join(''))).to.deep.equal([]);
    }
  });

  it('has lines of level, time and message, and none below its level', () => {
    const [line = '', ...more] = written((logger) => {
      logger.debug('unseen');
      logger.info('started');
    });
    expect(more).to.deep.equal([]);
    expect(line).to.match(/^\{"level":"info","time":"[^"]+","msg":"started"\}\n$/);
  });

  it('has the same fields in a line for people, if they ask for it', () => {
    const [line = '', hostile = ''] = written((logger) => {
      logger.warn({ namespace: 'shop', containers: ['app'], failures: 2 }, 'denied');
      logger.error({ error: HOSTILE }, HOSTILE);
    }, 'text');
    expect(line).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z WARN {2}denied namespace=shop containers=\[app\] failures=2\n$/);
    expect(hostile.split('\n')).to.have.length(2);
    expect(hiddenIn(hostile.trimEnd())).to.deep.equal([]);
  });
});
