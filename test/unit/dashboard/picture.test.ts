import { expect } from 'chai';

import { faultsOf, nameOf, readDashboard } from '../../dashboard/dashboard.ts';
import type { Dashboard, Found, Panel, Picture, Series } from '../../dashboard/dashboard.ts';
import { drawPage, sizeOf } from '../../dashboard/page.ts';
import { inUnit } from '../../dashboard/units.ts';

const FROM = Date.parse('2026-11-27T12:00:00Z') / 1000;
const TO = FROM + 300;

/** A line that rises from 0 to `most`, with a point each ten seconds. */
function rising(name: string, most: number): Series {
  return { name, points: Array.from({ length: 31 }, (_, index) => [FROM + index * 10, (index / 30) * most] as const) };
}

/** A dashboard of these panels, with what was found for each. */
function pictureOf(panels: readonly (readonly [Panel, Found])[]): Picture {
  const dashboard: Dashboard = { title: 'Fixture', panels: panels.map(([panel]) => panel) };
  return { dashboard, found: new Map(panels.map(([panel, found]) => [panel.title, found])), from: FROM, to: TO };
}

type Defaults = NonNullable<Panel['fieldConfig']>['defaults'];

function panelOf(type: string, defaults: Partial<Defaults> = {}, more: Partial<Panel> = {}): Panel {
  const thresholds = { steps: [{ value: null, color: 'green' }] };
  return {
    type,
    title: 'Reviews',
    gridPos: { x: 0, y: 0, w: 12, h: 8 },
    fieldConfig: { defaults: { unit: 'reqps', thresholds, ...defaults } },
    targets: [{ expr: 'up', legendFormat: '{{job}}' }],
    ...more,
  };
}

const pageOf = (panel: Panel, ...series: Series[]): string => drawPage(pictureOf([[panel, [series]]]));

describe('the picture of the dashboard', () => {
  it('has every panel of the generated dashboard, each drawn where it is', () => {
    const dashboard = readDashboard();
    const found = new Map(
      dashboard.panels.map(({ title, targets = [] }) => [
        title,
        targets.map((_, index) => [rising(`of ${title}, ${index}`, 3)]),
      ]),
    );
    const picture = { dashboard, found, from: FROM, to: TO };
    const page = drawPage(picture);
    const boxes = page.match(/<section class="(row|panel)"/g) ?? [];
    expect(boxes).to.have.length(dashboard.panels.length);
    for (const { title, type, targets = [] } of dashboard.panels) {
      expect(page).to.contain(`>${title}<`);
      if (type === 'timeseries') for (const index of targets.keys()) expect(page).to.contain(`>of ${title}, ${index}<`);
    }
    expect(page).not.to.match(/NaN|Infinity|undefined|No data/);
    const { width, height } = sizeOf(picture);
    for (const [, left, top, wide, high] of page.matchAll(/left:(\d+)px;top:(\d+)px;width:(\d+)px;height:(\d+)px/g)) {
      expect(Number(left) + Number(wide)).to.be.at.most(width);
      expect(Number(top) + Number(high)).to.be.at.most(height);
    }
  });

  it('says that it is not by Grafana', () => {
    expect(drawPage(pictureOf([])).replaceAll('\n', ' ')).to.contain('by our own page, not by Grafana');
  });

  it('has a line and a legend for each series, and labels with units', () => {
    const page = pageOf(panelOf('timeseries', { min: 0 }), rising('injected', 2), rising('<denied>', 1));
    expect(page.match(/stroke-width="1.5" stroke-linejoin/g)).to.have.length(2);
    expect(page).to.contain('</i>injected</span>').and.to.contain('</i>&lt;denied&gt;</span>');
    for (const label of ['0 req/s', '0.5 req/s', '2 req/s', '12:01', '12:04']) expect(page).to.contain(`>${label}<`);
  });

  it('stacks what is stacked: the axis reaches the sum', () => {
    const series = [rising('one', 3), rising('other', 3)];
    const custom = { stacking: { mode: 'normal' } };
    expect(pageOf(panelOf('timeseries', { min: 0, custom }), ...series)).to.contain('>6 req/s<');
    expect(pageOf(panelOf('timeseries', { min: 0 }), ...series)).not.to.contain('>6 req/s<');
  });

  it('breaks a line where nothing was scraped', () => {
    const { points } = rising('replica', 2);
    const paths = (series: Series): string[] =>
      / d="(M[^"]*)" fill="none"/.exec(pageOf(panelOf('timeseries'), series))?.[1]?.split('M') ?? [];
    expect(paths({ name: 'replica', points })).to.have.length(2);
    expect(paths({ name: 'replica', points: [...points.slice(0, 10), ...points.slice(20)] })).to.have.length(3);
  });

  it('draws thresholds where the data comes near', () => {
    const steps = [
      { value: null, color: 'green' },
      { value: 5, color: 'red' },
    ];
    const panel = panelOf('timeseries', { thresholds: { steps }, custom: { thresholdsStyle: { mode: 'dashed' } } });
    expect(pageOf(panel, rising('repairs', 8))).to.contain('class="threshold"');
    expect(pageOf(panel, rising('repairs', 1))).not.to.contain('class="threshold"');
  });

  it('shows the last value of a figure in the color of its threshold', () => {
    const steps = [
      { value: null, color: 'red' },
      { value: 1, color: 'green' },
    ];
    const panel = panelOf('stat', { unit: 'short', thresholds: { steps } });
    expect(pageOf(panel, rising('leaders', 1))).to.contain('<b style="color:#1a7f37">1</b>');
    expect(pageOf(panel, rising('leaders', 0))).to.contain('<b style="color:#cf222e">0</b>');
  });

  it('says in words what a figure means, and names it where the dashboard does', () => {
    const mappings = [{ type: 'value', options: { '1': { text: 'yes' } } }];
    const panel = panelOf('stat', { unit: 'short', mappings }, { options: { textMode: 'value_and_name' } });
    expect(pageOf(panel, rising('reached', 1))).to.match(/reached<\/span><b [^>]*>yes<\/b>/);
  });

  it('says what it means that there is no line', () => {
    expect(pageOf(panelOf('timeseries'))).to.contain('>No data<');
    expect(pageOf(panelOf('timeseries', { noValue: 'Nothing is denied' }))).to.contain('>Nothing is denied<');
  });

  for (const [what, panel, message] of [
    ['a panel', panelOf('heatmap'), 'the panel "Reviews" is of type "heatmap", which cannot be drawn'],
    ['a unit', panelOf('timeseries', { unit: 'watt' }), 'the unit "watt" cannot be drawn'],
    ['a color', panelOf('stat', { thresholds: { steps: [{ value: null, color: 'mauve' }] } }), 'the color "mauve"'],
    ['a mapping', panelOf('stat', { mappings: [{ type: 'range', options: {} }] }), 'a mapping of type "range"'],
  ] as const)
    it(`is an error if there is ${what} that it does not know`, () => {
      expect(() => pageOf(panel, rising('a', 1))).to.throw(message);
    });
});

describe('units in the picture', () => {
  for (const [value, unit, text] of [
    [0, 'short', '0'],
    [0.025, 'short', '0.025'],
    [1_500, 'short', '1.5 K'],
    [0.25, 'reqps', '0.25 req/s'],
    [0, 's', '0 s'],
    [0.012, 's', '12 ms'],
    [2.5, 's', '2.5 s'],
    [90, 's', '1.5 min'],
    [0, 'bytes', '0 B'],
    [150 * 2 ** 20, 'bytes', '150 MiB'],
    [0.25, 'percentunit', '25%'],
    [6.9 * 86_400, 'dtdurations', '6 days'],
    [86_400, 'dtdurations', '1 day'],
    [-120, 'dtdurations', '-2 minutes'],
  ] as const)
    it(`${value} in ${unit} is ${text}`, () => {
      expect(inUnit(value, unit)).to.equal(text);
    });
});

describe('what a run for the picture has found', () => {
  const panel = panelOf(
    'timeseries',
    {},
    {
      targets: [
        { expr: 'a', legendFormat: 'first' },
        { expr: 'b', legendFormat: '{{code}}' },
      ],
    },
  );
  const picture = (...found: Found): Picture => pictureOf([[panel, found]]);
  const some = [rising('x', 1)];

  it('is right if every target has data', () => {
    expect(faultsOf(picture(some, some), {})).to.deep.equal([]);
  });

  it('is wrong if one has none, unless it is listed with its reason', () => {
    expect(faultsOf(picture(some, []), {})).to.deep.equal(['no data: Reviews: {{code}}']);
    expect(faultsOf(picture(some, []), { 'Reviews: {{code}}': 'nobody does this' })).to.deep.equal([]);
  });

  it('is wrong if the list says too much', () => {
    const allowed = { 'Reviews: first': 'nobody does this', 'Reviews: gone': 'nor this' };
    expect(faultsOf(picture(some, some), allowed)).to.deep.equal([
      'has data, although it is listed as empty: Reviews: first',
      'is listed as empty, and is not in the dashboard: Reviews: gone',
    ]);
  });

  it('is named as the legend says', () => {
    expect(nameOf('API servers, {{name}}', { name: 'fail', le: '1' })).to.equal('API servers, fail');
    expect(nameOf('{{ server }}: {{reason}}', { server: 'webhook' })).to.equal('webhook: ');
  });
});
