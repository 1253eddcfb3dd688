/** The generated dashboard as this folder reads it: what Grafana would import, and no other source. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a panel is, in columns of 24 and in rows. */
export interface GridPosition {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Threshold {
  /** null: from the beginning. */
  readonly value: number | null;
  readonly color: string;
}

export interface Target {
  /** PromQL, with Grafana's `$__rate_interval`. */
  readonly expr: string;
  /** Text with `{{label}}`. */
  readonly legendFormat: string;
}

export interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: GridPosition;
  readonly description?: string;
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit: string;
      readonly thresholds: { readonly steps: readonly Threshold[] };
      /** Where the axis begins; default: at the smallest value. */
      readonly min?: number;
      /** Said in place of data. */
      readonly noValue?: string;
      /** Words in place of values. */
      readonly mappings?: readonly {
        readonly type: string;
        readonly options: Readonly<Record<string, { readonly text: string }>>;
      }[];
      readonly custom?: {
        readonly stacking?: { readonly mode?: string };
        readonly thresholdsStyle?: { readonly mode?: string };
      };
    };
  };
  readonly options?: { readonly textMode?: string; readonly graphMode?: string };
  readonly targets?: readonly Target[];
}

export interface Dashboard {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** One line of a panel, with what Prometheus knows of it. */
export interface Series {
  /** What the legend says. */
  readonly name: string;
  /** Seconds since 1970 and the value, in the order of time. */
  readonly points: readonly (readonly [at: number, value: number])[];
}

/** What was found for a panel: an entry for each of its targets, in their order. */
export type Found = readonly (readonly Series[])[];

/** A dashboard with data: what is drawn. */
export interface Picture {
  readonly dashboard: Dashboard;
  /** What was found, by the title of the panel. Rows have none. */
  readonly found: ReadonlyMap<string, Found>;
  /** Of all panels, in seconds since 1970. */
  readonly from: number;
  readonly to: number;
}

/** Reads the dashboard that is shipped. */
export function readDashboard(): Dashboard {
  const file = join(import.meta.dirname, '../../config/dashboard/dashboard.json');
  return JSON.parse(readFileSync(file, 'utf8')) as Dashboard;
}

/** Returns the name of a line: its legend with the values of labels; one that it does not have is empty. */
export function nameOf(legendFormat: string, labels: Readonly<Record<string, string>>): string {
  return legendFormat.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '');
}

/**
 * Returns what is wrong with the data of a picture: a target without any, unless it is in `allowed`; and one that is there
 * and has some. Both are named as `TITLE: LEGEND`.
 * @param allowed why a target may have no data here, by the name of the target
 */
export function faultsOf({ dashboard, found }: Picture, allowed: Readonly<Record<string, string>>): string[] {
  const targets = dashboard.panels.flatMap(({ title, targets: all = [] }) =>
    all.map(({ legendFormat }, index) => {
      const isEmpty = !(found.get(title)?.[index] ?? []).some(({ points }) => points.length > 0);
      return { name: `${title}: ${legendFormat}`, isEmpty };
    }),
  );
  const unknown = Object.keys(allowed).filter((name) => !targets.some((target) => target.name === name));
  return [
    ...targets.filter(({ name, isEmpty }) => isEmpty && !(name in allowed)).map(({ name }) => `no data: ${name}`),
    ...targets
      .filter(({ name, isEmpty }) => !isEmpty && name in allowed)
      .map(({ name }) => `has data, although it is listed as empty: ${name}`),
    ...unknown.map((name) => `is listed as empty, and is not in the dashboard: ${name}`),
  ];
}
