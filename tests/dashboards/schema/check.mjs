// Checks dashboards against the types of Grafana's foundation SDK: each is turned into a TypeScript literal of its type,
// and the compiler says what does not fit. A property that the types do not know, or a value outside an enumeration, is
// a fault; a property that is left out is not, since Grafana fills in its default.
//
// Usage: node check.mjs FILE…   with node_modules in the folder that it is run in. Exit 1 if there are faults.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createRequire } from "node:module";

const here = process.cwd();
const ts = createRequire(join(here, "package.json"))("typescript");
const sdk = "@grafana/grafana-foundation-sdk";

// Panels whose options and field settings the SDK describes.
const PANELS = ["barchart", "bargauge", "geomap", "stat", "table", "text", "timeseries", "trend"];

// A literal of an enumeration is no text to the compiler; in JSON there are only texts and numbers.
const enumeration = /export declare enum (\w+) \{([^}]*)\}/g;
const asUnion = (_, name, members) => {
  const values = [...members.matchAll(/=\s*("[^"]*"|-?\d+)/g)].map((member) => member[1]);
  return `export type ${name} = ${values.join(" | ")};`;
};
// What names one member of an enumeration: any text will do.
const member = /: (\w+\.)?[A-Z]\w+\.[A-Z]\w+;/g;

const prelude = [
  `import type * as dashboard from "${sdk}/dashboard";`,
  `import type * as prometheus from "${sdk}/prometheus";`,
  ...PANELS.map((panel) => `import type * as ${panel} from "${sdk}/${panel}";`),
  `type Deep<T> = T extends (infer U)[] ? Deep<U>[] : T extends object ? { [K in keyof T]?: Deep<T[K]> } : T;`,
];

function literals(file) {
  const { panels, annotations, ...board } = JSON.parse(readFileSync(file, "utf8"));
  const name = basename(file);
  const found = [];
  const literal = (what, type, value) => found.push({ what: `${name}, ${what}`, type, value });
  literal("dashboard", "dashboard.Dashboard", board);
  for (const { target, ...annotation } of annotations.list) {
    literal(`annotation ${annotation.name}`, "dashboard.AnnotationQuery", annotation);
  }
  for (const { targets = [], options, fieldConfig, ...panel } of panels.flatMap((it) => [it, ...(it.panels ?? [])])) {
    const what = `panel ${panel.title}`;
    if (panel.type === "row") {
      literal(what, "dashboard.RowPanel", panel);
      continue;
    }
    if (!PANELS.includes(panel.type)) throw new Error(`${name}, ${what}: add its type ${panel.type} to PANELS`);
    literal(what, "dashboard.Panel", panel);
    if (options) literal(`${what}, options`, `${panel.type}.Options`, options);
    if (fieldConfig) {
      const { custom, ...defaults } = fieldConfig.defaults;
      literal(`${what}, field defaults`, "dashboard.FieldConfig", defaults);
      literal(`${what}, overrides`, `dashboard.FieldConfigSource["overrides"]`, fieldConfig.overrides);
      if (custom) literal(`${what}, custom fields`, `${panel.type}.FieldConfig`, custom);
      for (const { properties } of fieldConfig.overrides) {
        // custom.a.b: the property b of a.
        for (const { id, value } of properties.filter((it) => it.id.startsWith("custom."))) {
          const nested = id.split(".").slice(1).reduceRight((inner, key) => ({ [key]: inner }), value);
          literal(`${what}, override ${id}`, `${panel.type}.FieldConfig`, nested);
        }
      }
    }
    for (const { datasource, ...target } of targets) {
      if (datasource.type === "prometheus") literal(`${what}, query ${target.refId}`, "prometheus.Dataquery", target);
    }
  }
  return found;
}

const checked = process.argv.slice(2).flatMap(literals);
const lines = checked.map(({ type, value }, at) => `export const v${at}: Deep<${type}> = ${JSON.stringify(value)};`);
const source = [...prelude, ...lines].join("\n");

const options = {
  noEmit: true, strict: true, strictNullChecks: false, skipLibCheck: true, types: [],
  target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
};
const host = ts.createCompilerHost(options);
const main = join(here, "dashboards.ts");
const read = host.readFile;
host.fileExists = ((exists) => (path) => path === main || exists(path))(host.fileExists);
host.readFile = (path) => {
  if (path === main) return source;
  const text = read(path);
  return path.includes(sdk) && path.endsWith(".d.ts") ? text.replace(enumeration, asUnion).replace(member, ": any;") : text;
};
host.getSourceFile = (path, language) => {
  const text = host.readFile(path);
  return text === undefined ? undefined : ts.createSourceFile(path, text, language);
};
const program = ts.createProgram([main], options, host);
const faults = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
  const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n  ");
  if (diagnostic.file?.fileName !== main) return text;
  const line = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start).line - prelude.length;
  return `${checked[line]?.what ?? "the prelude"}: ${text}`;
});
faults.forEach((fault) => console.log(fault));
console.log(`${checked.length} parts of ${process.argv.length - 2} dashboards, ${faults.length} faults`);
process.exit(faults.length > 0 ? 1 : 0);
