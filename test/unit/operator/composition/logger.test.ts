import { expect } from 'chai';
import { createLogger } from '../../../../operator/composition/logger.ts';
import { hiddenIn, HOSTILE } from '../../../support/hostile-text.ts';

describe('the log of the operator', () => {
  const written = (write: (logger: ReturnType<typeof createLogger>) => void): readonly string[] => {
    const lines: string[] = [];
    write(createLogger('info', { write: (line) => void lines.push(line) }));
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
});
