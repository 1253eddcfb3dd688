import { pino } from 'pino';
import type { DestinationStream, LoggerOptions } from 'pino';

import type { Logger } from '../../kube/log.ts';
import { shownLine } from '../../kube/log-line.ts';

/**
 * Creates the log: one JSON object per line, each as shownLine() shows it.
 *
 * @param destination where the lines go; left out: standard output
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    hooks: { streamWrite: shownLine },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
