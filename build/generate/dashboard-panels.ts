/** What the dashboard shows: rows of panels with their queries. dashboard.ts draws them. */

export interface Query {
  /** PromQL; `$__rate_interval` is Grafana's word for a window that holds enough samples. */
  readonly expr: string;
  /** Names a line: text with `{{label}}`. */
  readonly legend: string;
}

export interface PanelText {
  readonly title: string;
  /** What to make of it. */
  readonly description: string;
  /** stat: the last value in large letters; lines: over time. */
  readonly shape: 'stat' | 'lines' | 'stacked';
  /** One of Grafana's units. */
  readonly unit: 'short' | 's' | 'reqps' | 'bytes' | 'percentunit' | 'dtdurations';
  readonly queries: readonly Query[];
  /** From this value on it is shown in red; lines have a red line there. */
  readonly bad?: number;
  /** Below this value, too. */
  readonly least?: number;
  /** Said where there is no line, because all is well. */
  readonly nothing?: string;
  /** What a figure means, in place of it. */
  readonly words?: Readonly<Record<number, string>>;
}

export interface RowText {
  readonly title: string;
  readonly panels: readonly PanelText[];
}

const OURS = 'name=~"(.+[.])?(ignore|fail)[.]vaultinjection[.]dev"';

/** Counters are added up over replicas; of what every replica counts the same, the largest counts. */
export const ROWS: readonly RowText[] = [
  {
    title: 'At a glance',
    panels: [
      {
        title: 'Replicas, by version',
        description: 'Replicas that are scraped. Two versions at once only while an upgrade goes on.',
        shape: 'stat',
        unit: 'short',
        queries: [{ expr: 'count by (version) (vault_injection_build_info)', legend: '{{version}}' }],
      },
      {
        title: 'Leaders',
        description: 'Exactly one replica leads. None for minutes: docs/runbooks/no-leader.md.',
        shape: 'stat',
        unit: 'short',
        queries: [{ expr: 'sum(vault_injection_leader)', legend: 'leaders' }],
        least: 1,
        bad: 2,
      },
      {
        title: 'Policies not ready',
        description: 'kubectl get vip -A says which, and why.',
        shape: 'stat',
        unit: 'short',
        queries: [
          { expr: 'max(vault_injection_policy_condition{condition="Ready", status="False"})', legend: 'not ready' },
        ],
        bad: 1,
      },
      {
        title: 'Workloads missed',
        description:
          'They should be injected and are not, without those that ran before their policy: docs/runbooks/workloads-missed.md.',
        shape: 'stat',
        unit: 'short',
        queries: [
          {
            expr: 'max(vault_injection_workloads{state="Missed"} - ignoring (state) vault_injection_workloads_not_adopted)',
            legend: 'missed',
          },
        ],
        bad: 1,
      },
      {
        title: 'Webhook reached',
        description: 'Whether API servers reach the webhook. Only the leader finds out.',
        shape: 'stat',
        unit: 'short',
        queries: [{ expr: 'max(vault_injection_webhook_reachable)', legend: 'reached' }],
        least: 1,
        words: { 0: 'no', 1: 'yes' },
      },
      {
        title: 'Certificates end in',
        description:
          'Of all replicas, and of the authority. Red on its last day: docs/runbooks/certificate-not-renewed.md.',
        shape: 'stat',
        unit: 'dtdurations',
        least: 86_400,
        queries: [
          {
            expr: 'min(vault_injection_certificate_expiration_timestamp_seconds) - time()',
            legend: 'serving',
          },
          {
            expr: 'min(vault_injection_authority_expiration_timestamp_seconds) - time()',
            legend: 'authority',
          },
        ],
      },
    ],
  },
  {
    title: 'Admission',
    panels: [
      {
        title: 'Reviews, by outcome',
        description: 'Postponed: this replica knew too little and asked the API server to come again.',
        shape: 'stacked',
        unit: 'reqps',
        queries: [
          {
            expr: 'sum by (outcome) (rate(vault_injection_reviews_total[$__rate_interval]))',
            legend: '{{outcome}}',
          },
        ],
      },
      {
        title: 'How long reviews take (99th percentile)',
        description: 'At API servers the way to the webhook is included. They give up after 5 s.',
        shape: 'lines',
        unit: 's',
        queries: [
          {
            expr: 'histogram_quantile(0.99, sum by (le, entry) (rate(vault_injection_review_duration_seconds_bucket[$__rate_interval])))',
            legend: 'operator, {{entry}}',
          },
          {
            expr: `histogram_quantile(0.99, sum by (le, name) (rate(apiserver_admission_webhook_admission_duration_seconds_bucket{${OURS}}[$__rate_interval])))`,
            legend: 'API servers, {{name}}',
          },
        ],
        bad: 1,
      },
      {
        title: 'Denied, by reason',
        description: 'docs/reference/reasons.md says what to do about each.',
        shape: 'stacked',
        unit: 'reqps',
        queries: [
          {
            expr: 'sum by (reason) (rate(vault_injection_denials_total[$__rate_interval])) > 0',
            legend: '{{reason}}',
          },
        ],
        nothing: 'Nothing is denied',
      },
      {
        title: 'Not reviewed, as API servers count',
        description: 'Let through without a review (Ignore), or refused because the call failed (Fail).',
        shape: 'lines',
        unit: 'reqps',
        queries: [
          {
            expr: `sum by (name) (rate(apiserver_admission_webhook_fail_open_count{${OURS}}[$__rate_interval]))`,
            legend: 'let through, {{name}}',
          },
          {
            expr: `sum by (name, error_type) (rate(apiserver_admission_webhook_rejection_count{${OURS}, error_type!="no_error"}[$__rate_interval]))`,
            legend: 'refused, {{name}}, {{error_type}}',
          },
        ],
        nothing: 'Everything is reviewed, or API servers are not scraped',
      },
      {
        title: 'Bounds that reviews met, and requests refused',
        description: 'What is refused so that nobody can take the operator from the others.',
        shape: 'lines',
        unit: 'reqps',
        queries: [
          {
            expr: 'sum by (bound) (rate(vault_injection_review_bounds_total[$__rate_interval])) > 0',
            legend: 'bound: {{bound}}',
          },
          {
            expr: 'sum by (code) (rate(vault_injection_requests_refused_total[$__rate_interval])) > 0',
            legend: 'HTTP {{code}}',
          },
          {
            expr: 'sum by (server, reason) (rate(vault_injection_turned_away_total[$__rate_interval])) > 0',
            legend: 'turned away by {{server}}: {{reason}}',
          },
        ],
        nothing: 'Nothing is refused',
      },
    ],
  },
  {
    title: 'Policies and workloads',
    panels: [
      {
        title: 'Workloads, by state',
        description: 'docs/guides/inventory.md says what the states mean.',
        shape: 'stacked',
        unit: 'short',
        queries: [{ expr: 'max by (state) (vault_injection_workloads)', legend: '{{state}}' }],
      },
      {
        title: 'Policies, by what keeps them from being well',
        description: 'False or Unknown conditions, and those that are Stalled. A policy may be in several.',
        shape: 'stacked',
        unit: 'short',
        queries: [
          {
            expr: 'max by (condition, status) (vault_injection_policy_condition{condition!~"Reconciling|Stalled", status!="True"}) > 0',
            legend: '{{condition}} {{status}}',
          },
          {
            expr: 'max by (condition) (vault_injection_policy_condition{condition="Stalled", status="True"}) > 0',
            legend: '{{condition}}',
          },
        ],
        nothing: 'All policies are well',
      },
      {
        title: 'What the operator asks admission for',
        description: 'Annotations that it writes to workloads, by kind and result.',
        shape: 'lines',
        unit: 'reqps',
        queries: [
          {
            expr: 'sum by (kind, result) (rate(vault_injection_requests_total[$__rate_interval])) > 0',
            legend: '{{kind}}, {{result}}',
          },
        ],
        nothing: 'Nothing is asked for',
      },
      {
        title: 'Rollouts',
        description: 'Workloads whose pods are being replaced, and policies that wait for their turn.',
        shape: 'lines',
        unit: 'short',
        queries: [
          { expr: 'max(vault_injection_rolling_workloads)', legend: 'workloads that roll' },
          { expr: 'max(vault_injection_waiting_policies)', legend: 'policies that wait' },
        ],
      },
    ],
  },
  {
    title: 'The way from API servers to the webhook',
    panels: [
      {
        title: 'Share of the renewal window that has passed',
        description: '0%: renewal is not due. Above 25%: docs/runbooks/certificate-not-renewed.md. 100%: expired.',
        shape: 'lines',
        unit: 'percentunit',
        queries: [
          {
            expr: 'clamp_min(max((time() - vault_injection_certificate_renewal_timestamp_seconds) / (vault_injection_certificate_expiration_timestamp_seconds - vault_injection_certificate_renewal_timestamp_seconds)), 0)',
            legend: 'serving',
          },
          {
            expr: 'clamp_min(max((time() - vault_injection_authority_renewal_timestamp_seconds) / (vault_injection_authority_expiration_timestamp_seconds - vault_injection_authority_renewal_timestamp_seconds)), 0)',
            legend: 'authority',
          },
        ],
        bad: 0.25,
      },
      {
        title: 'Repairs a minute',
        description:
          'What somebody else changed and the operator wrote again: docs/runbooks/configuration-contested.md.',
        shape: 'lines',
        unit: 'short',
        queries: [
          {
            expr: 'sum by (object) (rate(vault_injection_repairs_total[$__rate_interval])) * 60',
            legend: '{{object}}',
          },
        ],
        bad: 5,
      },
      {
        title: 'Connections and handshakes',
        description: 'A change of the CA bundle causes new handshakes once.',
        shape: 'lines',
        unit: 'short',
        queries: [
          { expr: 'sum(vault_injection_connections)', legend: 'open connections' },
          { expr: 'sum(rate(vault_injection_tls_handshakes_total[$__rate_interval]))', legend: 'handshakes a second' },
          {
            expr: 'sum(rate(vault_injection_tls_handshake_errors_total[$__rate_interval]))',
            legend: 'failed handshakes a second',
          },
        ],
      },
    ],
  },
  {
    title: 'What the operator asks others',
    panels: [
      {
        title: 'Age of the copies of the cluster',
        description: 'Up to 120 s is normal. Over 300 s: docs/runbooks/watch-stale.md.',
        shape: 'lines',
        unit: 's',
        queries: [{ expr: 'max by (resource) (vault_injection_watch_age_seconds)', legend: '{{resource}}' }],
        bad: 300,
      },
      {
        title: 'Look-ups of images',
        description: 'Remembered is answered from memory; the others asked a registry.',
        shape: 'stacked',
        unit: 'reqps',
        queries: [
          {
            expr: 'sum by (result) (rate(vault_injection_image_lookups_total[$__rate_interval])) > 0',
            legend: '{{result}}',
          },
        ],
        nothing: 'No image is looked up',
      },
      {
        title: 'Look-ups of ConfigMaps and Secrets',
        description: 'Forbidden: a Role is missing (docs/guides/references-elsewhere.md).',
        shape: 'stacked',
        unit: 'reqps',
        queries: [
          {
            expr: 'sum by (result) (rate(vault_injection_source_reads_total[$__rate_interval])) > 0',
            legend: '{{result}}',
          },
        ],
        nothing: 'Nothing is looked up',
      },
      {
        title: 'Reads of versions of secrets, and logins for them',
        description: 'Only where rotation is used.',
        shape: 'lines',
        unit: 'reqps',
        queries: [
          {
            expr: 'sum by (result) (rate(vault_injection_rotation_polls_total[$__rate_interval])) > 0',
            legend: 'read: {{result}}',
          },
          {
            expr: 'sum by (result) (rate(vault_injection_rotation_logins_total[$__rate_interval])) > 0',
            legend: 'login: {{result}}',
          },
        ],
        nothing: 'Rotation is not used',
      },
    ],
  },
  {
    title: 'The process',
    panels: [
      {
        title: 'Memory',
        description: 'Resident, of each replica.',
        shape: 'lines',
        unit: 'bytes',
        queries: [
          {
            expr: 'process_resident_memory_bytes and on (job, instance) vault_injection_build_info',
            legend: '{{instance}}',
          },
        ],
      },
      {
        title: 'Processors used',
        description: 'Reviews run on one of them.',
        shape: 'lines',
        unit: 'short',
        queries: [
          {
            expr: 'rate(process_cpu_seconds_total[$__rate_interval]) and on (job, instance) vault_injection_build_info',
            legend: '{{instance}}',
          },
        ],
      },
      {
        title: 'Lag of the event loop (99th percentile)',
        description: 'How long a review may have to wait for its turn.',
        shape: 'lines',
        unit: 's',
        queries: [
          {
            expr: 'nodejs_eventloop_lag_p99_seconds and on (job, instance) vault_injection_build_info',
            legend: '{{instance}}',
          },
        ],
      },
    ],
  },
];
