// Asks what the panels of a dashboard ask, as Grafana would: macros and variables filled in, answers as frames.
import pg from "pg";

// Types as Postgres numbers them.
const NUMBERS = new Set([20, 21, 23, 700, 701, 1700]);
const TIMES = new Set([1082, 1114, 1184]);
pg.types.setTypeParser(1082, (day) => new Date(`${day}T00:00:00Z`));
for (const type of [20, 1700]) pg.types.setTypeParser(type, Number);

const UNITS = { m: 60, h: 3600, d: 86400 };
export function timeRange({ from }, now) {
  const [, number, unit] = /^now-(\d+)([mhd])$/.exec(from);
  return { from: now - number * UNITS[unit] * 1000, to: now };
}

const quoted = (value) => `'${String(value).replaceAll("'", "''")}'`;

export class Questions {
  constructor({ postgres, prometheus, now }) {
    Object.assign(this, { pool: new pg.Pool({ connectionString: postgres, max: 2 }), prometheus, now });
  }

  /** Everything that the page draws: `chosen` sets variables, the others get their first value. */
  async ask(dashboard, chosen = {}) {
    const range = timeRange(dashboard.time, this.now);
    const variables = {};
    const context = { range, variables };
    for (const variable of dashboard.templating.list) {
      if (variable.datasource.type !== "postgres") {
        variables[variable.name] = { value: ".*", text: "All" };
        continue;
      }
      const { rows } = await this.pool.query(this.sql(variable.query, context));
      const row = rows.find((it) => it.__value === chosen[variable.name]) ?? rows[0];
      variables[variable.name] = { value: row.__value, text: row.__text };
    }
    const frames = {};
    for (const panel of dashboard.panels) {
      frames[panel.id] = (await Promise.all((panel.targets ?? []).map((target) => this.frames(target, panel, context)))).flat();
    }
    const marks = [];
    for (const { datasource, target, iconColor } of dashboard.annotations.list) {
      if (datasource.type !== "postgres") continue;
      const { rows } = await this.pool.query(this.sql(target.rawSql, context));
      marks.push(...rows.map((row) => ({ time: row.time.getTime(), text: row.text, color: iconColor })));
    }
    return { range, variables, frames, marks };
  }

  sql(text, { range, variables }) {
    const at = (time) => quoted(new Date(time).toISOString());
    return text
      .replace(/\$__timeFilter\(([^)]+)\)/g, (_, column) => `${column} BETWEEN ${at(range.from)} AND ${at(range.to)}`)
      .replace(/\$\{(\w+):sqlstring\}/g, (_, name) => quoted(variables[name].value));
  }

  frames(target, panel, context) {
    return target.datasource.type === "postgres" ? this.rows(target, context) : this.series(target, panel, context);
  }

  async rows({ rawSql, format, refId }, context) {
    const { rows, fields } = await this.pool.query({ text: this.sql(rawSql, context), rowMode: "array" });
    const kind = (type) => (NUMBERS.has(type) ? "number" : TIMES.has(type) ? "time" : "string");
    const columns = fields.map(({ name, dataTypeID }, at) => {
      const type = kind(dataTypeID);
      const values = rows.map((row) => (type === "time" ? row[at]?.getTime() ?? null : row[at]));
      return { name, type, values, config: {} };
    });
    const names = format === "time_series" && columns.find((column) => column.name === "metric");
    return [{ refId, fields: names ? wide(columns, names) : columns }];
  }

  async series({ expr, instant, format, legendFormat, refId }, panel, { range, variables }) {
    const seconds = (range.to - range.from) / 1000;
    const step = Math.max(5, Math.ceil(seconds / 300));
    const filled = Object.entries(variables).reduce((text, [name, { value }]) => text.replaceAll(`$${name}`, value), expr)
      .replaceAll("$__rate_interval", `${Math.max(4 * this.scrape, step)}s`).replaceAll("$__range", `${seconds}s`);
    const parameters = instant
      ? { query: filled, time: range.to / 1000 }
      : { query: filled, start: range.from / 1000, end: range.to / 1000, step };
    const url = `${this.prometheus}/api/v1/${instant ? "query" : "query_range"}?${new URLSearchParams(parameters)}`;
    const { data, error } = await (await fetch(url)).json();
    if (error) throw new Error(`${panel.title}: ${error}\n${filled}`);
    if (format === "table") return [asTable(data.result, refId, panel.targets.length > 1)];
    return data.result.map(({ metric, values, value }) => {
      const name = (legendFormat ?? "").replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? "") || undefined;
      const samples = values ?? [value];
      const config = name ? { displayNameFromDS: name } : {};
      return { refId, fields: [
        { name: "Time", type: "time", values: samples.map(([time]) => time * 1000), config: {} },
        { name: "Value", type: "number", values: samples.map(([, text]) => number(text)), labels: metric, config },
      ] };
    });
  }

  end() {
    return this.pool.end();
  }
}

const number = (text) => (text === "NaN" ? null : Number(text));

/** One row for each series, one column for each label. */
function asTable(result, refId, several) {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))];
  const column = (name, type, value) => ({ name, type, values: result.map(value), config: {} });
  return { refId, fields: [
    column("Time", "time", ({ value }) => value[0] * 1000),
    ...labels.map((label) => column(label, "string", ({ metric }) => metric[label] ?? "")),
    column(several ? `Value #${refId}` : "Value", "number", ({ value }) => number(value[1])),
  ] };
}

/** Long rows of time, metric, number as one column for each metric. */
function wide(columns, names) {
  const time = columns.find((column) => column.type === "time");
  const value = columns.find((column) => column.type === "number");
  const times = [...new Set(time.values)];
  const series = new Map();
  names.values.forEach((name, at) => {
    if (!series.has(name)) series.set(name, new Array(times.length).fill(null));
    series.get(name)[times.indexOf(time.values[at])] = value.values[at];
  });
  const fields = [...series].map(([name, values]) => ({ name, type: "number", values, config: {} }));
  return [{ ...time, values: times }, ...fields];
}
