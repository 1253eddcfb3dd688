import type { Logger as PinoLogger } from 'pino';

/** What the parts of the operator log with: pino's own, or a test's. Never given a secret, token, argv or patch. */
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'child'>;
