// A dashboard as Grafana's own components draw it, from its file and the answers in window.scene.
import { createElement, useMemo } from "react";
import { createRoot } from "react-dom/client";
import { lastValueFrom } from "rxjs";
import {
  applyFieldOverrides, createDataFrame, createTheme, dateTime, FieldType, getFieldDisplayName, getFieldDisplayValues,
  getDisplayValueAlignmentFactors, identityOverrideProcessor, renderMarkdown, Registry, standardTransformers,
  standardTransformersRegistry, ThemeContext, transformDataFrame,
} from "@grafana/data";
import { BarGauge, BigValue, GlobalStyles, PanelChrome, Table, TimeSeries } from "@grafana/ui";
import "uplot/dist/uPlot.min.css";

const { dashboard, answers, mode, width } = window.scene;
const theme = createTheme({ colors: { mode } });
const timeZone = "utc";
const COLUMN = width / 24, ROW = 38, GAP = 8;
const range = { from: dateTime(answers.range.from), to: dateTime(answers.range.to) };
range.raw = { from: range.from, to: range.to };

const transformers = new Map(Object.values(standardTransformers).map((it) => [it.id, { ...it, transformation: async () => it }]));
standardTransformersRegistry.setInit(() => [...transformers.values()]);

// Each setting that the file has, so that defaults and overrides of it are applied. As in Grafana, an axis' label is not
// that of the time axis.
const settings = (panel) => {
  const { defaults, overrides } = panel.fieldConfig;
  const custom = Object.keys(defaults.custom ?? {}).map((key) => `custom.${key}`);
  const ids = new Set([...custom, ...overrides.flatMap((it) => it.properties.map((property) => property.id)),
    "unit", "decimals", "min", "max", "noValue", "color", "thresholds", "mappings", "links", "displayName"]);
  return new Registry(() => [...ids].map((id) => ({
    id, name: id, path: id.replace(/^custom\./, ""), isCustom: id.startsWith("custom."),
    shouldApply: (field) => id !== "custom.axisLabel" || field.type === FieldType.number,
    process: identityOverrideProcessor, override: () => null, editor: () => null, settings: {},
  })));
};

const variableText = (text) => text.replace(/\$\{(\w+)(?::\w+)?\}/g, (all, name) => answers.variables[name]?.text ?? all);

async function frames(panel) {
  let data = answers.frames[panel.id].map((frame) => createDataFrame(frame));
  if (panel.transformations) data = await lastValueFrom(transformDataFrame(panel.transformations, data));
  return applyFieldOverrides({
    data, fieldConfig: panel.fieldConfig, fieldConfigRegistry: settings(panel), theme, timeZone, replaceVariables: variableText,
  });
}

const hue = (name) => theme.visualization.getColorByName(name);

/** Marks of publications and deploys, behind the lines. */
function marks(builder) {
  builder.addHook("drawClear", (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const { time, color } of answers.marks) {
      const x = plot.valToPos(time, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = hue(color);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  });
  return null;
}

const legendOf = (panel) => panel.options.legend ?? { showLegend: false, displayMode: "list", placement: "bottom", calcs: [] };

function Lines({ panel, data, width, height }) {
  const isTrend = panel.type === "trend";
  const sorted = useMemo(() => data.map((frame) => {
    if (!isTrend) return frame;
    const x = frame.fields.find((field) => getFieldDisplayName(field, frame, data) === panel.options.xField);
    // Where a field comes from: bands and the legend find it by that.
    const fields = [x, ...frame.fields.filter((field) => field !== x)];
    return { ...frame, fields: fields.map((field, fieldIndex) => ({ ...field, state: { ...field.state, origin: { frameIndex: 0, fieldIndex } } })) };
  }), [data]);
  const all = { get: (field) => field.type === FieldType.number && field !== sorted[0].fields[0], };
  const fields = isTrend ? { x: (field) => field === sorted[0].fields[0], y: all.get } : undefined;
  const preparePlotFrame = isTrend ? () => sorted[0] : undefined;
  return (
    <TimeSeries frames={sorted} width={width} height={height} timeRange={range} timeZone={timeZone} legend={legendOf(panel)}
      fields={fields} preparePlotFrame={preparePlotFrame} options={panel.options}>
      {(builder) => (isTrend ? null : marks(builder))}
    </TimeSeries>
  );
}

/** Bars over texts: as over time, one a month. */
function Bars({ panel, data, width, height }) {
  const [label, ...numbers] = data[0].fields;
  const time = { ...label, type: FieldType.time, values: label.values.map((month) => Date.parse(`${month}-01T00:00:00Z`)) };
  const month = 31 * 86400e3;
  const frame = { ...data[0], fields: [time, ...numbers.map((field) => ({ ...field, config: { ...field.config, custom: { ...field.config.custom, drawStyle: "bars" } } }))] };
  const bounds = { from: dateTime(time.values[0] - month), to: dateTime(time.values.at(-1) + month) };
  return <TimeSeries frames={[frame]} width={width} height={height} timeRange={{ ...bounds, raw: bounds }} timeZone={timeZone} legend={legendOf(panel)} options={panel.options} />;
}

const displayValues = (panel, data) => getFieldDisplayValues({
  data, reduceOptions: panel.options.reduceOptions, fieldConfig: panel.fieldConfig, replaceVariables: variableText, theme, timeZone,
  sparkline: panel.options.graphMode === "area",
});

function Stats({ panel, data, width, height }) {
  const values = displayValues(panel, data);
  const down = panel.options.orientation === "horizontal";
  const share = (whole) => Math.floor((whole - GAP * (values.length - 1)) / values.length);
  const size = down ? { width, height: share(height) } : { width: share(width), height };
  return (
    <div style={{ display: "flex", flexDirection: down ? "column" : "row", gap: GAP }}>
      {values.map((it, at) => (
        <BigValue key={at} theme={theme} {...size} value={it.display} sparkline={it.sparkline} colorMode={panel.options.colorMode}
          graphMode={panel.options.graphMode} textMode={panel.options.textMode} justifyMode="auto" disableWideLayout={panel.options.wideLayout === false} count={values.length}
          alignmentFactors={getDisplayValueAlignmentFactors(values)} />
      ))}
    </div>
  );
}

function Gauges({ panel, data, width, height }) {
  const values = displayValues(panel, data);
  const each = Math.floor((height - 6 * (values.length - 1)) / values.length);
  return values.map((it, at) => (
    <div key={at} style={{ marginBottom: 6 }}>
      <BarGauge theme={theme} width={width} height={Math.min(each, 44)} value={it.display} field={it.field} orientation="horizontal"
        display={it.view?.getFieldDisplayProcessor(it.colIndex)} displayMode={panel.options.displayMode} showUnfilled={false} itemSpacing={8}
        alignmentFactors={getDisplayValueAlignmentFactors(values)} valueDisplayMode={panel.options.valueMode} />
    </div>
  ));
}

function Rows({ panel, data, width, height }) {
  const shown = { ...data[0], fields: data[0].fields.filter((field) => !field.config.custom?.hidden) };
  return <Table data={shown} width={width} height={height} initialSortBy={panel.options.sortBy} cellHeight="sm" showTypeIcons={false} timeRange={range} />;
}

/** The map needs Grafana itself: its places and its background are not among the components. */
function NoMap({ data }) {
  return <p style={{ padding: 16, color: theme.colors.text.secondary }}>Here Grafana draws a map of {data[0].length} countries.</p>;
}

const Words = ({ panel }) => <div className="markdown-html" style={{ overflow: "hidden" }} dangerouslySetInnerHTML={{ __html: renderMarkdown(panel.options.content) }} />;

const KINDS = { timeseries: Lines, trend: Lines, barchart: Bars, stat: Stats, bargauge: Gauges, table: Rows, geomap: NoMap, text: Words };

function Panel({ panel, data }) {
  const { x, y, w, h } = panel.gridPos;
  const place = { position: "absolute", left: x * COLUMN, top: y * ROW, width: w * COLUMN - GAP, height: h * ROW - GAP };
  if (panel.type === "row") return <h4 style={{ ...place, paddingTop: 4 }}>{panel.title}</h4>;
  const Kind = KINDS[panel.type];
  const isEmpty = panel.type !== "text" && data.every((frame) => frame.length === 0);
  return (
    <div style={place}>
      <PanelChrome title={variableText(panel.title)} description={panel.description} width={place.width} height={place.height}>
        {(width, height) => isEmpty
          ? <p style={{ textAlign: "center", paddingTop: height / 3 }}>{panel.fieldConfig.defaults.noValue}</p>
          : <Kind panel={panel} data={data} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

function Page({ data }) {
  const rows = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const chosen = dashboard.templating.list.filter((it) => it.hide !== 2).map((it) => `${it.label}: ${answers.variables[it.name].text}`);
  const span = `${range.from.utc().format("YYYY-MM-DD HH:mm")} – ${range.to.utc().format("YYYY-MM-DD HH:mm")} UTC`;
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ padding: GAP, background: theme.colors.background.canvas }}>
        <div style={{ display: "flex", gap: 24, alignItems: "baseline", padding: "4px 4px 12px" }}>
          <h3 style={{ margin: 0 }}>{dashboard.title}</h3>{chosen.map((it) => <span key={it}>{it}</span>)}<span style={{ marginLeft: "auto" }}>{span}</span>
        </div>
        <div id="panels" style={{ position: "relative", height: rows * ROW }}>
          {dashboard.panels.map((panel) => <Panel key={panel.id} panel={panel} data={data[panel.id]} />)}
        </div>
      </div>
    </ThemeContext.Provider>
  );
}

const data = {};
for (const panel of dashboard.panels) data[panel.id] = panel.targets ? await frames(panel) : [];
createRoot(document.getElementById("root")).render(createElement(Page, { data }));
requestAnimationFrame(() => setTimeout(() => { window.drawn = true; }, 1500));
