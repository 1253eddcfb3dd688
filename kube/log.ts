import type { Logger as PinoLogger } from 'pino';

/** The logger of all parts of the operator: pino's, or a test's. Never pass it a secret, token, argv or patch. */
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'child'>;
