import { Counter, Gauge, Histogram, Registry as Register } from 'prom-client';
import type { Denial } from '../core/injection/outcome.ts';
import { REASONS } from '../core/reasons.ts';
import { ENTRY_NAMES } from './configuration/configuration.ts';
import type { Entry, EntryKey } from './configuration/configuration.ts';

/** Read on each scrape. Undefined: not known (yet), the series is left out. */
export interface WebhookFigures {
  readonly rules?: () => number | undefined;
  /** Milliseconds since the epoch. */
  readonly leafNotAfter?: () => number | undefined;
  readonly leafRenewAt?: () => number | undefined;
  readonly authorityNotAfter?: () => number | undefined;
  readonly authorityRenewAt?: () => number | undefined;
}

/**
 * A bound that keeps one review from costing the others too much. Size: the workload has more in it than is reviewed, and
 * is left alone or refused. Waiting: there was no room to wait for registries, ConfigMaps or Secrets, so the review was
 * decided without them.
 */
export type ReviewBound = (typeof REVIEW_BOUNDS)[number];
const REVIEW_BOUNDS = ['Size', 'Waiting'] as const;

/** Metrics of admission, server and configuration. No label holds a name or a namespace, so there are few series. */
export interface WebhookMetrics {
  readonly register: Register;
  /** Sets the source of these figures. Call it once. */
  show(figures: WebhookFigures): void;
  reviewed(entry: Entry, operation: string, outcome: string, seconds: number): void;
  /** Counts a review of the probe, by which the operator finds out whether API servers reach the webhook. */
  probed(seconds: number): void;
  /** Counts why a review denied its workload. */
  denied(reason: Denial['reason']): void;
  /** Counts a review that met a bound. */
  bounded(bound: ReviewBound): void;
  /** Counts a request that never became a review, by HTTP status. */
  refused(status: number): void;
  /** Sets the source of the number of requests whose body is being received. */
  watchInFlight(read: () => number): void;
  /** Sets the source of the number of open connections. */
  watchConnections(read: () => number): void;
  /** Counts a repair: somebody else changed or deleted what this process keeps. */
  repaired(what: 'configuration' | 'certificates'): void;
  /** Counts a completed TLS handshake: a new connection. */
  tlsHandshake(): void;
  tlsError(): void;
}

// Admission is CPU work of 0.1 to 1 ms; above 5 s no API server waits any more (timeoutSeconds).
// One at 1 s, above which VaultInjectionReviewsSlow fires (config/alerts).
const DURATION_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 2.5, 5];

const DENIAL_REASONS = (Object.keys(REASONS) as (keyof typeof REASONS)[]).filter((code): code is Denial['reason'] =>
  ['Admission', 'Workload'].every((use) => (REASONS[code].usedBy as readonly string[]).includes(use)),
);

const OPERATIONS = new Set(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']);

/** Creates the metrics in a separate register by default, so that tests can have several in one process. */
export function createWebhookMetrics(register: Register = new Register()): WebhookMetrics {
  const registers = [register];
  const reviews = new Counter({
    name: 'vault_injection_reviews_total',
    help: 'Admission reviews answered, by entry of the configuration, operation and outcome.',
    labelNames: ['entry', 'operation', 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'vault_injection_review_duration_seconds',
    help: 'Time to process one review, from its last byte received to its answer handed to the socket, by entry of the configuration.',
    labelNames: ['entry'] as const,
    buckets: DURATION_BUCKETS,
    registers,
  });
  const denials = new Counter({
    name: 'vault_injection_denials_total',
    help: 'Reviews that denied their workload, by reason (reasons.md).',
    labelNames: ['reason'] as const,
    registers,
  });
  const bounds = new Counter({
    name: 'vault_injection_review_bounds_total',
    help:
      'Reviews that met a bound: the workload has more in it than is reviewed, so it was left alone or denied (Size), or ' +
      'there was no room to wait for registries, ConfigMaps or Secrets, so it was decided without them (Waiting).',
    labelNames: ['bound'] as const,
    registers,
  });
  const refused = new Counter({
    name: 'vault_injection_requests_refused_total',
    help: 'Requests of API servers that were rejected before they became a review, by HTTP status.',
    labelNames: ['code'],
    registers,
  });
  const repairs = new Counter({
    name: 'vault_injection_repairs_total',
    help: 'Times that an object managed by the operator was changed or deleted by something else and had to be written again.',
    labelNames: ['object'],
    registers,
  });
  const tlsHandshakes = new Counter({
    name: 'vault_injection_tls_handshakes_total',
    help: 'Completed TLS handshakes: connections that API servers have opened. Each change of the CA bundle causes new ones.',
    registers,
  });
  const tlsErrors = new Counter({
    name: 'vault_injection_tls_handshake_errors_total',
    help: 'Failed TLS handshakes, for example of a client that does not trust the certificate.',
    registers,
  });
  // a series that exists from the start makes rate() and absent() work as expected
  for (const object of ['configuration', 'certificates']) repairs.inc({ object }, 0);
  for (const code of ['400', '405', '413', '415', '500', '503']) refused.inc({ code }, 0);
  for (const entry of Object.keys(ENTRY_NAMES) as EntryKey[]) duration.zero({ entry });
  for (const reason of DENIAL_REASONS) denials.inc({ reason }, 0);
  for (const bound of REVIEW_BOUNDS) bounds.inc({ bound }, 0);
  return {
    register,
    show: ({ rules, leafNotAfter, leafRenewAt, authorityNotAfter, authorityRenewAt }) => {
      readWhenAsked(registers, 'vault_injection_rules', 'Rules in the cache that admission uses.', rules);
      readWhenAsked(
        registers,
        'vault_injection_certificate_expiration_timestamp_seconds',
        'When the certificate that is served expires, in seconds since the epoch.',
        inSeconds(leafNotAfter),
      );
      readWhenAsked(
        registers,
        'vault_injection_certificate_renewal_timestamp_seconds',
        'From when on the certificate that is served is to be replaced, in seconds since the epoch.',
        inSeconds(leafRenewAt),
      );
      readWhenAsked(
        registers,
        'vault_injection_authority_expiration_timestamp_seconds',
        'When the certificate authority in use expires, in seconds since the epoch.',
        inSeconds(authorityNotAfter),
      );
      readWhenAsked(
        registers,
        'vault_injection_authority_renewal_timestamp_seconds',
        'From when on the certificate authority in use is to be replaced, in seconds since the epoch.',
        inSeconds(authorityRenewAt),
      );
    },
    reviewed: (entry, operation, outcome, seconds) => {
      reviews.inc({ entry, operation: OPERATIONS.has(operation) ? operation : 'other', outcome });
      duration.observe({ entry }, seconds);
    },
    probed: (seconds) => duration.observe({ entry: 'probe' }, seconds),
    denied: (reason) => denials.inc({ reason }),
    bounded: (bound) => bounds.inc({ bound }),
    refused: (status) => refused.inc({ code: String(status) }),
    watchInFlight: (read) =>
      readWhenAsked(
        registers,
        'vault_injection_requests_in_flight',
        'Requests whose body is currently being received.',
        read,
      ),
    watchConnections: (read) =>
      readWhenAsked(registers, 'vault_injection_connections', 'Open connections to the webhook.', read),
    repaired: (object) => repairs.inc({ object }),
    tlsHandshake: () => tlsHandshakes.inc(),
    tlsError: () => tlsErrors.inc(),
  };
}

function readWhenAsked(
  registers: Register[],
  name: string,
  help: string,
  read: (() => number | undefined) | undefined,
): void {
  if (read === undefined) return;
  new Gauge({
    name,
    help,
    registers,
    collect() {
      const value = read();
      if (value === undefined) this.remove();
      else this.set(value);
    },
  });
}

function inSeconds(read: (() => number | undefined) | undefined): (() => number | undefined) | undefined {
  return (
    read &&
    ((): number | undefined => {
      const ms = read();
      return ms === undefined ? undefined : ms / 1000;
    })
  );
}
