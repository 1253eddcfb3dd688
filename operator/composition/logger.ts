import { pino } from 'pino';
import type { DestinationStream, LoggerOptions } from 'pino';

import type { Logger } from '../../kube/log.ts';
import { shownLine } from '../../kube/log-line.ts';
import { textLine } from '../../kube/log-text.ts';
import type { Settings } from '../settings.ts';

/**
 * Creates the log: one JSON object per line, each as shownLine() shows it, or the same fields as a line for people.
 *
 * @param destination where the lines go; left out: standard output
 */
export function createLogger(
  { logLevel, logFormat }: Pick<Settings, 'logLevel' | 'logFormat'>,
  destination?: DestinationStream,
): Logger {
  const options: LoggerOptions = {
    level: logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    hooks: { streamWrite: logFormat === 'text' ? (line) => textLine(shownLine(line)) : shownLine },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
