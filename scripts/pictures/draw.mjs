// Draws each dashboard in Chromium, by page.jsx. Usage: node draw.mjs POSTGRES-URL PROMETHEUS-URL UNIX-TIME SCRAPE-SECONDS FOLDER
import { existsSync, readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { Questions } from "./questions.mjs";

const [postgres, prometheus, now, scrape, folder] = process.argv.slice(2);
const here = import.meta.dirname;
const dashboards = join(here, "../../dashboards");
const packages = join(here, "node_modules");
// An address of its own, so that the components find their storage; nothing there is asked for over a network.
const PLACE = "http://dashboards.invalid/";
const WIDTH = 1600;

const bundle = await build({
  entryPoints: [join(here, "page.jsx")], bundle: true, write: false, outdir: "out", format: "esm", target: "chrome120", jsx: "automatic",
  alias: { "react-custom-scrollbars-2": join(here, "scrollbars.js") }, define: { "process.env.NODE_ENV": '"production"', global: "window" },
  loader: { ".ttf": "empty", ".svg": "dataurl", ".woff2": "dataurl", ".png": "dataurl" }, logLevel: "error", nodePaths: [packages],
});
const file = (end) => bundle.outputFiles.find(({ path }) => path.endsWith(end)).text;
const [script, style] = [file(".js"), file(".css")];

const questions = new Questions({ postgres, prometheus, now: now * 1000 });
questions.scrape = Number(scrape);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(dashboards).filter((it) => it.endsWith(".json"))) {
  const dashboard = JSON.parse(readFileSync(join(dashboards, name), "utf8"));
  // What was scraped in a day, all of it.
  if (dashboard.tags.includes("operations")) dashboard.time.from = "now-24h";
  const answers = await questions.ask(dashboard, { episode: process.env.EPISODE });
  const rows = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  for (const mode of dashboard.uid === "castmeter-reach" ? ["dark", "light"] : ["dark"]) {
    const page = await browser.newPage({ viewport: { width: WIDTH + 16, height: rows * 38 + 70 } });
    const broken = new Promise((_, refuse) => page.on("pageerror", refuse));
    const html = `<!doctype html><meta charset="utf-8"><style>${style}</style><div id="root"></div>`;
    await page.route("**/*", (route) => {
      const { pathname } = new URL(route.request().url());
      if (pathname === "/") return route.fulfill({ contentType: "text/html", body: html });
      const asset = join(packages, "@grafana/ui/dist", pathname);
      return existsSync(asset) ? route.fulfill({ path: asset }) : route.fulfill({ status: 404, body: "" });
    });
    await page.goto(PLACE);
    await page.evaluate((scene) => { window.scene = scene; }, { dashboard, answers, mode, width: WIDTH });
    await page.addScriptTag({ content: script, type: "module" });
    await Promise.race([page.waitForFunction(() => window.drawn, null, { timeout: 60000 }), broken]);
    const picture = join(folder, name.replace(".json", mode === "light" ? "-light.png" : ".png"));
    writeFileSync(picture, await page.screenshot());
    console.log(picture);
    await page.close();
  }
}
await browser.close();
await questions.end();
