/** config/dashboard/dashboard.json: the dashboard for Grafana, from dashboard-panels.ts. */
import {
  BigValueColorMode,
  BigValueTextMode,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode as Style,
  StackingConfigBuilder,
  StackingMode,
  VizOrientation,
} from '@grafana/grafana-foundation-sdk/common';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  MappingType,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

import { ROWS } from './dashboard-panels.ts';
import type { PanelText } from './dashboard-panels.ts';
import { formatted } from './format.ts';

export const DASHBOARD_FILE = 'config/dashboard/dashboard.json';

// A variable: a Grafana may know several Prometheus servers.
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

// Of the 24 columns of Grafana's grid: six figures, or two or three pictures in a row.
const STAT_WIDTH = 4;
const [HALF, THIRD] = [12, 8];
const HEIGHT = { stat: 4, lines: 8, stacked: 8 } as const;

/** Resolves with the dashboard as JSON, which Grafana imports. */
export function dashboard(): Promise<string> {
  // Its successor writes a schema that older versions of Grafana do not import.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const builder = new DashboardBuilder('Vault injection operator')
    .uid('vault-injection-operator')
    .description('Admission, workloads, policies and the way between API servers and the webhook.')
    .tags(['kubernetes', 'vault'])
    .time({ from: 'now-6h', to: 'now' })
    .timezone('browser')
    .refresh('1m')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'));
  for (const { title, panels } of ROWS) {
    builder.withRow(new RowBuilder(title));
    panels.forEach((panel, index) => builder.withPanel(draw(panel, widthOf(panel, index, panels.length))));
  }
  return formatted(DASHBOARD_FILE, JSON.stringify(builder.build()));
}

/** Three share the last line of a row where two each would leave a hole. */
function widthOf({ shape }: PanelText, index: number, count: number): number {
  if (shape === 'stat') return STAT_WIDTH;
  return count % 2 === 1 && index >= count - 3 ? THIRD : HALF;
}

function draw(text: PanelText, width: number): Builder<Panel> {
  return text.shape === 'stat' ? drawStat(text, width) : drawLines(text, width);
}

function drawStat(text: PanelText, width: number): Builder<Panel> {
  const { title, description, unit, shape, queries, words = {} } = text;
  const texts = Object.entries(words).map(([value, word], index) => [value, { text: word, index }] as const);
  const isNamed = queries.length > 1 || queries.some(({ legend }) => legend.includes('{{'));
  const panel = new StatBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .span(width)
    .height(HEIGHT[shape])
    .colorMode(BigValueColorMode.Value)
    .textMode(isNamed ? BigValueTextMode.ValueAndName : BigValueTextMode.Value)
    .orientation(VizOrientation.Auto)
    .thresholds(thresholds(text));
  if (texts.length > 0) panel.mappings([{ type: MappingType.ValueToText, options: Object.fromEntries(texts) }]);
  queries.forEach((query, index) => panel.withTarget(target(query, index)));
  return panel;
}

function drawLines(text: PanelText, width: number): Builder<Panel> {
  const { title, description, unit, shape, bad, queries, nothing } = text;
  const isStacked = shape === 'stacked';
  const panel = new LinesBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .span(width)
    .height(HEIGHT[shape])
    // Grafana would begin at the smallest value, and make much of little
    .min(0)
    .drawStyle(GraphDrawStyle.Line)
    .fillOpacity(isStacked ? 30 : 0)
    .stacking(new StackingConfigBuilder().mode(isStacked ? StackingMode.Normal : StackingMode.None))
    .thresholds(thresholds(text))
    .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(bad === undefined ? Style.Off : Style.Dashed));
  if (nothing !== undefined) panel.noValue(nothing);
  queries.forEach((query, index) => panel.withTarget(target(query, index)));
  return panel;
}

function target({ expr, legend }: PanelText['queries'][number], index: number): DataqueryBuilder {
  return new DataqueryBuilder()
    .datasource(DATASOURCE)
    .expr(expr)
    .legendFormat(legend)
    .refId(String.fromCharCode('A'.charCodeAt(0) + index));
}

function thresholds({ bad, least }: PanelText): ThresholdsConfigBuilder {
  const steps = [
    { value: null, color: least === undefined ? 'green' : 'red' },
    ...(least === undefined ? [] : [{ value: least, color: 'green' }]),
    ...(bad === undefined ? [] : [{ value: bad, color: 'red' }]),
  ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}
